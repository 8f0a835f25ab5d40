"""The outcome of trying one source: an image, or the reason why there is none. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

OK = "ok"
MISSING = "missing"  # the server or the folder says that there is none
UNREACHABLE = "unreachable"  # no server answered as it should; tried again the next night
BLOCKED = "blocked"  # an address that this machine must not speak to
CORRUPT = "corrupt"  # bytes that are no image
TOO_LARGE = "too_large"  # in bytes or in pixels

MAX_DETAIL = 300  # characters of an explanation


class NoImage(Exception):
    """A source gives no image: `state` is one of the words above, `detail` says why in words."""

    def __init__(self, state: str, detail: str) -> None:
        super().__init__(f"{state}: {detail}")
        self.state = state
        self.detail = detail[:MAX_DETAIL]


@dataclass(frozen=True)
class Outcome:
    """One source's image, or why it has none; width and height in pixels, as landed."""

    state: str
    content_hash: str | None = None
    width: int | None = None
    height: int | None = None
    detail: str | None = None
