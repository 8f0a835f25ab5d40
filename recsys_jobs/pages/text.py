"""Ids and texts from dumps as a page may show them: on one line, cut, and with nothing that steers a screen."""

from __future__ import annotations

import hashlib
import html
import re

TITLE, ID, LONG_TEXT = 120, 48, 2000  # characters shown
NO_TITLE = "(no title)"
_LINK_BYTES = 256  # of an id that a link repeats; a longer one is named by its hash
_HASHED = re.compile(r"sha256:[0-9a-f]{64}")
_JOINERS = "\u200c\u200d"  # no glyphs of their own, and part of words and of emoji


def clip(text: str, most: int = TITLE) -> str:
    """The text without control characters, marks of direction and HTML's entities, at most so many characters."""
    plain = " ".join("".join(map(_printable, html.unescape(text[: most * 8]))).split())
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def _printable(char: str) -> str:
    return char if char.isprintable() or char in _JOINERS else " "


def title_of(title: str | None) -> str:
    """A title as it is shown; words for none."""
    return clip(title or "") or NO_TITLE


def reference(identifier: str) -> str:
    """What a link says for an id: itself, or its hash where it is very long, does not print, or looks like one."""
    raw = identifier.encode()
    if len(raw) <= _LINK_BYTES and identifier.isprintable() and not _HASHED.fullmatch(identifier):
        return identifier
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def hash_in(text: str) -> str | None:
    """The hash that a link says in place of an id; None where it says the id."""
    return text.removeprefix("sha256:") if _HASHED.fullmatch(text) else None
