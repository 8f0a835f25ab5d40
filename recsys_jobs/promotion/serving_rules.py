"""Which version serves, by the log of decisions: the hold, the rejected versions, the past champions. Pure.

Every function takes the rows of `promotions` in the order in which they were decided. A row that
failed never held.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

Row = dict[str, Any]
MOVES = ("promote", "rollback", "by_hand", "release")  # what people do; a night's own is `publish`


class Hold(NamedTuple):
    """The version that every night publishes until it is released, None for the floor, and the row that says so."""

    version: int | None
    row: Row


def hold(rows: Iterable[Row], run_date: date) -> Hold | None:
    """The hold of the last person who decided about `run_date`; None where nights are free."""
    moves = [row for row in _passed(rows) if row["kind"] in MOVES and row["effective_date"] <= run_date]
    if not moves or moves[-1]["kind"] == "release":
        return None
    return Hold(moves[-1]["model_version"], moves[-1])


def rejected_versions(rows: Iterable[Row]) -> set[int]:
    """The versions that were rolled back and not promoted since."""
    rejected: set[int] = set()
    for row in _passed(rows):
        if row["kind"] == "rollback" and row["rejected_version"] is not None:
            rejected.add(row["rejected_version"])
        elif row["kind"] in ("promote", "by_hand"):
            rejected.discard(row["model_version"])
    return rejected


def previous_version(rows: list[Row], serving: int | None, until: date | None = None) -> int | None:
    """The version that served last before `serving` and was not rejected; None: there is only the floor.

    `until`, where given, leaves out the versions of later nights.
    """
    excluded = rejected_versions(rows) | {serving}
    champions = [row for row in _past_champions(rows) if until is None or row["effective_date"] <= until]
    versions = [row["model_version"] for row in reversed(champions)]
    return next((version for version in versions if version not in excluded), None)


def champion_row(rows: list[Row]) -> Row | None:
    """The row that says where `champion` stands, if the log ever moved it; open ones count as done."""
    moves = _alias_moves(rows)
    return moves[-1] if moves else None


def open_moves(rows: Iterable[Row]) -> list[Row]:
    """The moves that were decided and not carried out to the end."""
    moves = [row for row in _passed(rows) if row["kind"] in (*MOVES, "publish")]
    return [row for row in moves if row["completed_at"] is None]


def _past_champions(rows: Iterable[Row]) -> list[Row]:
    """The rows that made a version champion."""
    return [row for row in _alias_moves(rows) if row["model_version"] is not None]


def _alias_moves(rows: Iterable[Row]) -> list[Row]:
    return [row for row in _passed(rows) if row["moves_alias"] or row["kind"] == "by_hand"]


def _passed(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["decision"] == "passed"]
