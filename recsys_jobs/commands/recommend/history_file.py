"""A plain history: one item id a line, oldest first, maybe with the time at which the item was had.

    B00004Z5M1
    B000068O48 2014-02-03
    B00005N7Q5 2014-02-03T18:30:00

After the id a blank, a tab or a comma; a date, a time (UTC unless it says otherwise) or seconds since 1970.
Either every line has a time, and then these give the order, or none has.

N lines.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.models.sequence.catalogue import History


class Line(NamedTuple):
    """What one line says; `time` in seconds since 1970, UTC, -1 where it has none."""

    number: int
    item: str
    time: int
    stars: float = math.nan


def read(path: Path) -> list[Line]:
    """Return the lines in the order of events; UsageError names the file and line of what cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"{path}: {why}: name a file with an item id a line") from None
    lines = [
        _parse_line(path, number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()
    ]
    if not lines:
        raise UsageError(f"{path}: empty: write an item id a line, oldest first")
    timed = [line.time >= 0 for line in lines]
    if any(timed) and not all(timed):
        bare = lines[timed.index(False)]
        raise UsageError(f"{path}, line {bare.number}: no time, while other lines have one: write it for all or none")
    return sorted(lines, key=lambda line: line.time)


def known_items(lines: list[Line], items: list[str]) -> tuple[History, list[Line]]:
    """Return the history of the lines whose item is among `items`, and the lines whose item is not."""
    row_by_id = {item: row for row, item in enumerate(items)}
    known = [line for line in lines if line.item in row_by_id]
    unknown = [line for line in lines if line.item not in row_by_id]
    item_N = np.array([row_by_id[line.item] for line in known], np.int64)
    time_N = np.array([line.time for line in known], np.int64)
    stars_N = np.array([line.stars for line in known], np.float32)
    return History(item_N, time_N, stars_N), unknown


def seconds(text: str) -> int:
    """Return a date, a time or seconds since 1970 as the latter; ValueError for anything else."""
    if re.fullmatch(r"\d{1,11}", text):
        return int(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since_1970 = int(moment.timestamp())
    if since_1970 < 0:
        raise ValueError(f"{text} is before 1970")
    return since_1970


def _parse_line(path: Path, number: int, text: str) -> Line:
    item, *rest = re.split(r"[\s,]+", text, maxsplit=1)
    time = rest[0].strip() if rest else ""
    if not time:
        return Line(number, item, -1)
    try:
        return Line(number, item, seconds(time))
    except ValueError:
        raise UsageError(
            f"{path}, line {number}: {time!r} is no time: write an item id alone, "
            "or with a time as 2014-03-01 or 2014-03-01T18:30:00"
        ) from None
