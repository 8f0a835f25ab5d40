"""Image files in the landing zone: `<landing>/<dataset>/images/<item_id>.jpg`, or another of `SUFFIXES`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from recsys_jobs.contracts.parsing.field_values import ID
from recsys_jobs.images.outcome import BLOCKED, MISSING, TOO_LARGE, UNREACHABLE, NoImage

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif"}  # in capitals, too; the bytes say which it is
log = logging.getLogger(__name__)


def files(landing: Path) -> Iterator[tuple[str, str]]:
    """Item id and path relative to the landing zone of each image file, in no order; the others' names are logged."""
    for folder in sorted(landing.glob("*/images")):
        dataset = folder.parent.name
        if not dataset.isprintable() or dataset.startswith(".") or not folder.is_dir():
            continue
        ignored = []
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122 - a Path each would double the time
                if suffix.lower() in SUFFIXES and ID.fullmatch(stem):
                    yield stem, f"{dataset}/images/{entry.name}"
                elif not entry.name.startswith((".", "_")):
                    ignored.append(entry.name)
        if ignored:
            log.warning(
                "%d entries of %s/images are left alone, such as %s: an image is called ITEM_ID and ends in %s",
                len(ignored),
                dataset,
                ascii(min(ignored)),
                ", ".join(sorted(SUFFIXES)),
            )


def read(landing: Path, source: str, max_bytes: int) -> bytes:
    """The file's bytes; NoImage says why there are none.

    A link that leads out of the landing zone is refused: it would publish this machine's files.
    """
    try:
        path = (landing / source).resolve(strict=True)
        if not path.is_relative_to(landing.resolve()):
            raise NoImage(BLOCKED, "leads out of the landing zone")
        if not path.is_file():
            raise NoImage(BLOCKED, "not a regular file")
        with open(path, "rb", opener=_open_without_following) as file:  # noqa: PTH123 - Path.open takes no opener
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise NoImage(MISSING, "no such file") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise NoImage(UNREACHABLE, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > max_bytes:
        raise NoImage(TOO_LARGE, f"more than {max_bytes} bytes")
    return data


def _open_without_following(path: str, flags: int) -> int:
    """Open neither a link put there since the check, nor wait for a pipe that never speaks."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
