"""The landed files: all in the landing zone, and what their places say about them."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from recsys_jobs.contracts.errors import JobError

log = logging.getLogger(__name__)

KINDS = ("reviews", "items")
ENDINGS = tuple(f".{name}{packed}" for name in ("json", "jsonl", "ndjson") for packed in ("", ".gz"))
LAYOUT = "<landing>/<dataset>/[date=YYYY-MM-DD/]{reviews,items}/*.json[l][.gz]"


@dataclass(frozen=True, order=True)
class LandedFile:
    """One landed file. `path` is relative to the landing zone, with forward slashes, as it can be printed."""

    path: str
    dataset: str
    kind: str  # reviews or items
    landed_on: date | None  # from the date= folder; None where unknown
    place: Path = field(default=Path(), compare=False)  # where its bytes are


def discover(landing: Path) -> list[LandedFile]:
    """Every landed file, sorted by path.

    Raises JobError where there is no landing zone, or a folder in it holds nothing that belongs there. Names that
    start with a dot or an underscore are not looked at: uploads in progress are called so.
    """
    if not landing.is_dir():
        raise JobError(f"no landing zone at {landing}: set RECSYS_LANDING to a folder laid out as {LAYOUT}")
    files = [file for dataset in _folders(landing) for file in _in_dataset(landing, dataset)]
    if not files:
        raise JobError(f"nothing landed in {landing}: files are looked for as {LAYOUT}")
    if twice := [path for path, times in Counter(file.path for file in files).items() if times > 1]:
        raise JobError(f"two files in {landing} have names that print as {twice[0]}: rename one")
    return sorted(files)


def _in_dataset(landing: Path, dataset: Path) -> list[LandedFile]:
    """The files of one dataset's folder; JobError where there is none."""
    dated = {folder: _landed_on(folder) for folder in _folders(dataset) if folder.name.startswith("date=")}
    files = [
        LandedFile(_printable(file.relative_to(landing).as_posix()), _printable(dataset.name), kind, day, file)
        for parent, day in ({dataset: None} | dated).items()
        for kind in KINDS
        for file in _dumps(parent / kind)
    ]
    if not files:
        raise JobError(f"{dataset} holds no dump: files are looked for as {LAYOUT}; move the folder or lay it out so")
    return files


def _dumps(folder: Path) -> list[Path]:
    """The dumps in a folder; what else lies there is named in the log and left alone."""
    if not folder.is_dir():
        return []
    visible = [path for path in folder.iterdir() if not path.name.startswith((".", "_"))]
    dumps = [path for path in visible if path.name.lower().endswith(ENDINGS) and path.is_file()]
    for path in sorted(set(visible) - set(dumps)):
        ignored = _printable(str(path))
        log.warning("not a dump by its name, left alone: %s (dumps end in %s)", ignored, ", ".join(ENDINGS))
    return dumps


def _printable(name: str) -> str:
    """A file's name as one line of UTF-8: what is neither text nor printable as \\x and its byte."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\x{ord(match[0]):02x}", text)


def _folders(parent: Path) -> list[Path]:
    with os.scandir(parent) as entries:
        return sorted(Path(e.path) for e in entries if e.is_dir() and not e.name.startswith((".", "_")))


def _landed_on(folder: Path) -> date:
    try:
        return date.fromisoformat(folder.name.removeprefix("date="))
    except ValueError:
        raise JobError(f"{folder} does not name a date: write date=YYYY-MM-DD, as in date=2014-03-01") from None
