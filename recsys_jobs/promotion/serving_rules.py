"""What the log of decisions says: what is held, what is rejected, what served before. Pure.

Everything here takes the rows of `promotions` in the order in which they were decided. A row that
failed never held.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

Row = dict[str, Any]
MOVES = ("promote", "rollback", "by_hand", "release")  # what people do; a night's own is `publish`


class Hold(NamedTuple):
    """What every night publishes until it is released: a version, or the floor (None), and the row that says so."""

    version: int | None
    row: Row


def hold(rows: Iterable[Row], run_date: date) -> Hold | None:
    """What the last person who decided about `run_date` holds in place; None where nights are free."""
    moves = [row for row in _held(rows) if row["kind"] in MOVES and row["effective_date"] <= run_date]
    if not moves or moves[-1]["kind"] == "release":
        return None
    return Hold(moves[-1]["model_version"], moves[-1])


def rejected(rows: Iterable[Row]) -> set[int]:
    """The versions that were rolled back and not promoted since."""
    found: set[int] = set()
    for row in _held(rows):
        if row["kind"] == "rollback" and row["rejected_version"] is not None:
            found.add(row["rejected_version"])
        elif row["kind"] in ("promote", "by_hand"):
            found.discard(row["model_version"])
    return found


def before(rows: list[Row], serving: int | None, until: date | None = None) -> int | None:
    """The version that served last before `serving` and was not rejected; None: there is only the floor.

    `until`, where given, leaves out what served on later nights.
    """
    out = rejected(rows) | {serving}
    served = [row for row in _crowned(rows) if until is None or row["effective_date"] <= until]
    return next((row["model_version"] for row in reversed(served) if row["model_version"] not in out), None)


def champion(rows: list[Row]) -> Row | None:
    """The row that says where `champion` stands, if the log ever moved it; open ones count as done."""
    moved = [row for row in _held(rows) if row["moves_alias"] or row["kind"] == "by_hand"]
    return moved[-1] if moved else None


def unfinished(rows: Iterable[Row]) -> list[Row]:
    """Moves that were decided and not carried out to the end."""
    return [row for row in _held(rows) if row["kind"] in (*MOVES, "publish") and row["completed_at"] is None]


def _crowned(rows: Iterable[Row]) -> list[Row]:
    """The rows that made a version champion."""
    moved = [row for row in _held(rows) if row["moves_alias"] or row["kind"] == "by_hand"]
    return [row for row in moved if row["model_version"] is not None]


def _held(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["decision"] == "passed"]
