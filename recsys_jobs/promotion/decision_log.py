"""The log of decisions (`promotions`): reading it, appending to it, and marking which moves were carried out.

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
_ID_COLUMNS = ("kind", "effective_date", "recipe", "model_fingerprint", "floor", "floor_fingerprint", "decision")
_IN_FORCE = ("challenge", "promote", "by_hand")


def recipe_in_force(run_date: date, settings: Settings) -> str:
    """The recipe that was last put in force for `run_date` or from an earlier night on, else the configured one."""
    moves = delta.read(
        PROMOTIONS, pc.field("kind").isin(_IN_FORCE) & (pc.field("effective_date") <= pa.scalar(run_date))
    )
    passed = [row for row in moves.to_pylist() if row["decision"] == "passed"]
    if not passed:
        return settings.recipe
    return str(max(passed, key=_decision_order)["recipe"])


def record_verdict(row: Row) -> None:
    """Append a verdict; the same one reached again stands once, with the time of the last."""
    _upsert(row | {"decision_id": _decision_id(row, 0), "decided_at": datetime.now(UTC)})


def append_move(row: Row) -> Row:
    """Append a move, a row of its own even where the same was done before; return it with its id and time."""
    used_ids = {earlier["decision_id"] for earlier in all_rows()}
    repeat = next(n for n in range(len(used_ids) + 1) if _decision_id(row, n) not in used_ids)
    move = row | {"decision_id": _decision_id(row, repeat), "decided_at": datetime.now(UTC)}
    _upsert(move)
    return move


def mark_completed(row: Row) -> None:
    """Mark a move as carried out."""
    _upsert(row | {"completed_at": datetime.now(UTC)})


def mark_failed(row: Row, why: str) -> None:
    """Mark a move as one that cannot be carried out: it never held."""
    reason = f"{row['reason']}; not done: {why}"
    _upsert(row | {"decision": "failed", "reason": reason, "completed_at": datetime.now(UTC)})


def all_rows() -> list[Row]:
    """Every decision in the order in which they were taken."""
    return sorted(delta.read(PROMOTIONS).to_pylist(), key=_decision_order)


def gate_decision(run_date: date, recipe: str) -> Row:
    """The gate's decision on `recipe` among the models that `model_metrics` has for this night.

    JobError where the night was not evaluated yet.
    """
    evaluated = {row["model_fingerprint"] for row in model_metrics.rows_of(run_date)}
    of_night = (pc.field("effective_date") == pa.scalar(run_date)) & (pc.field("kind") == "gate")
    rows = delta.read(PROMOTIONS, of_night & (pc.field("recipe") == recipe)).to_pylist()
    current = [row for row in rows if evaluated.issuperset((row["model_fingerprint"], row["floor_fingerprint"]))]
    if not current:
        raise JobError(
            f"no decision on {recipe} for {run_date}: "
            f"run python -m recsys_jobs.night.evaluate --run-date {run_date} first"
        )
    return max(current, key=_decision_order)


def last_floor() -> str:
    """The floor of the last gate that judged; empty where none did."""
    gates = [row for row in all_rows() if row["kind"] == "gate"]
    return str(gates[-1]["floor"]) if gates else ""


def judged_recipe(run_date: date) -> str:
    """The recipe that the gate judged last on this night; JobError where it judged none."""
    judged = [row for row in all_rows() if row["kind"] == "gate" and row["effective_date"] == run_date]
    if not judged:
        raise JobError(f"no gate judged the night of {run_date}: run it first (make nightly DATE={run_date})")
    return str(judged[-1]["recipe"])


def _decision_order(row: Row) -> tuple[datetime, str]:
    return row["decided_at"], row["decision_id"]


def _decision_id(row: Row, repeat: int) -> str:
    """The hash of what is decided; `repeat` counts the earlier rows that decided the same."""
    parts = [str(row.get(name)) for name in _ID_COLUMNS]
    if repeat:
        parts.append(str(repeat))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _upsert(row: Row) -> None:
    """Write one row, one writer at a time: a backfill's night may decide when the live one does."""
    with delta.writer_lock("promotions"):
        delta.upsert(PROMOTIONS, pa.Table.from_pylist([row], delta.arrow_schema(PROMOTIONS)))
