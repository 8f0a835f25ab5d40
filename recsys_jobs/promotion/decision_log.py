"""The log of decisions (`promotions`): reading it, appending to it, and marking what was carried out.

A verdict (gate, challenge) that is reached again stands once. A move (publish, promote, rollback, release,
by_hand) is a row each time, and is open until tables and alias follow it: then it is completed.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import PROMOTIONS
from recsys_jobs.lake import delta, model_metrics

Row = dict[str, Any]
_IDENTITY = ("kind", "effective_date", "recipe", "model_fingerprint", "floor", "floor_fingerprint", "decision")
_IN_FORCE = ("challenge", "promote", "by_hand")


def recipe_in_force(run_date: date, settings: Settings) -> str:
    """The recipe that was last put in force for `run_date` or from an earlier night on, else the configured one."""
    moves = delta.read(
        PROMOTIONS, pc.field("kind").isin(_IN_FORCE) & (pc.field("effective_date") <= pa.scalar(run_date))
    )
    passed = [row for row in moves.to_pylist() if row["decision"] == "passed"]
    if not passed:
        return settings.recipe
    return str(max(passed, key=lambda row: (row["decided_at"], row["decision_id"]))["recipe"])


def record(row: Row) -> None:
    """Append a verdict; the same one reached again stands once, with the time of the last."""
    _put(row | {"decision_id": _identity(row, 0), "decided_at": datetime.now(UTC)})


def append(row: Row) -> Row:
    """Append a move, a row of its own even where the same was done before; return it with its id and time."""
    taken = {known["decision_id"] for known in everything()}
    turn = next(turn for turn in range(len(taken) + 1) if _identity(row, turn) not in taken)
    whole = row | {"decision_id": _identity(row, turn), "decided_at": datetime.now(UTC)}
    _put(whole)
    return whole


def complete(row: Row) -> None:
    """Mark a move as carried out."""
    _put(row | {"completed_at": datetime.now(UTC)})


def give_up(row: Row, why: str) -> None:
    """Mark a move as one that cannot be carried out: it never held."""
    _put(row | {"decision": "failed", "reason": f"{row['reason']}; not done: {why}", "completed_at": datetime.now(UTC)})


def everything() -> list[Row]:
    """Every decision in the order in which they were taken."""
    rows = delta.read(PROMOTIONS).to_pylist()
    return sorted(rows, key=lambda row: (row["decided_at"], row["decision_id"]))


def gate_decision(run_date: date, recipe: str) -> Row:
    """What the gate decided for `recipe` on the models that `model_metrics` has for this night.

    JobError where the night was not evaluated yet.
    """
    examined = {row["model_fingerprint"] for row in model_metrics.rows_of(run_date)}
    of_night = (pc.field("effective_date") == pa.scalar(run_date)) & (pc.field("kind") == "gate")
    rows = delta.read(PROMOTIONS, of_night & (pc.field("recipe") == recipe)).to_pylist()
    current = [row for row in rows if row["model_fingerprint"] in examined and row["floor_fingerprint"] in examined]
    if not current:
        raise JobError(
            f"no decision on {recipe} for {run_date}: "
            f"run python -m recsys_jobs.night.evaluate --run-date {run_date} first"
        )
    return max(current, key=lambda row: (row["decided_at"], row["decision_id"]))


def last_floor() -> str:
    """The floor of the last gate that judged; empty where none did."""
    gates = [row for row in everything() if row["kind"] == "gate"]
    return str(gates[-1]["floor"]) if gates else ""


def judged_recipe(run_date: date) -> str:
    """The recipe that the gate judged last on this night; JobError where it judged none."""
    judged = [row for row in everything() if row["kind"] == "gate" and row["effective_date"] == run_date]
    if not judged:
        raise JobError(f"no gate judged the night of {run_date}: run it first (make nightly DATE={run_date})")
    return str(judged[-1]["recipe"])


def _identity(row: Row, turn: int) -> str:
    parts = [str(row.get(name)) for name in _IDENTITY] + ([str(turn)] if turn else [])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _put(row: Row) -> None:
    """One at a time: a backfill's night may decide at the moment when the live one does."""
    with delta.writer_lock("promotions"):
        delta.upsert(PROMOTIONS, pa.Table.from_pylist([row], delta.arrow_schema(PROMOTIONS)))
