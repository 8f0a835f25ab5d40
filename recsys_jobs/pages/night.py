"""One night: its row of the table, the stages against their usual time, and what landed that was refused or odd."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from datetime import date
from typing import Any

from recsys_jobs.contracts.tables import INGEST_FILES, QUARANTINE
from recsys_jobs.lake.partitions import Partitions, Source
from recsys_jobs.pages.nights import report_numbers
from recsys_jobs.pages.text import TITLE, clip

_EARLIER = 5  # nights that a usual time is the median of
_FILES, _LINES = 10, 8


@dataclass(frozen=True)
class Stage:
    """A task's seconds, and the median of the nights before; None where none of them has it."""

    task: str
    seconds: float
    usual: float | None


@dataclass(frozen=True)
class OddFile:
    """A landed file that was refused or has lines in quarantine."""

    path: str
    state: str
    quarantined: int
    message: str


@dataclass(frozen=True)
class OddLine:
    """A line in quarantine: where it stood, why, and how it begins."""

    path: str
    position: int
    reason: str
    detail: str
    raw: str


_FILES_OF_NIGHT = """
    SELECT path, state, rows_quarantined, message FROM files
    WHERE (landed_on > $before OR landed_on IS NULL) AND coalesce(landed_on <= $night, true)
    AND (state = 'refused' OR rows_quarantined > 0) AND state <> 'superseded'
    ORDER BY state <> 'refused', rows_quarantined DESC, path LIMIT $most
"""
_LINES_OF_FILES = """
    SELECT path, position, reason, detail, left(raw, 400) AS raw FROM quarantine
    WHERE path IN (SELECT unnest($paths)) ORDER BY path, position LIMIT $most
"""


def stages(night: date, published: list[date]) -> list[Stage]:
    """The night's tasks with their usual times; none while its report is not written."""
    usual = usual_seconds(night, published)
    seconds = report_numbers(night).get("seconds", {})
    return [Stage(task, taken, usual.get(task)) for task, taken in seconds.items()]


def usual_seconds(night: date, published: list[date]) -> dict[str, float]:
    """The median seconds of each task over the nights before, as their reports have them."""
    before = sorted((day for day in published if day < night), reverse=True)[:_EARLIER]
    taken: dict[str, list[float]] = {}
    for day in before:
        for task, seconds in report_numbers(day).get("seconds", {}).items():
            taken.setdefault(task, []).append(seconds)
    return {task: statistics.median(values) for task, values in taken.items()}


def odd_files(partitions: Partitions, night: date, before: date | None) -> list[OddFile]:
    """What landed after the night before, or on a day that is not known, and did not enter whole."""
    sources = {"files": Source(INGEST_FILES)}
    values: dict[str, Any] = {"night": night, "before": before or date.min, "most": _FILES}
    rows = partitions.rows(_FILES_OF_NIGHT, sources, **values)
    return [
        OddFile(row["path"], row["state"], row["rows_quarantined"], clip(row["message"] or "", 300)) for row in rows
    ]


def odd_lines(partitions: Partitions, files: list[OddFile]) -> list[OddLine]:
    """The first lines in quarantine of these files."""
    if not files:
        return []
    sources = {"quarantine": Source(QUARANTINE)}
    rows = partitions.rows(_LINES_OF_FILES, sources, paths=[file.path for file in files], most=_LINES)
    return [
        OddLine(
            clip(row["path"], TITLE),
            row["position"],
            row["reason"],
            clip(row["detail"] or "", TITLE),
            clip(row["raw"] or "", 200),
        )
        for row in rows
    ]
