"""The log of decisions (`promotions`): what is in force, what a night decided, appending to it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs import lake
from recsys_jobs.errors import JobError
from recsys_jobs.settings import Settings
from recsys_jobs.tables import MODEL_METRICS, PROMOTIONS

_IDENTITY = ("kind", "effective_date", "recipe", "model_fingerprint", "floor", "floor_fingerprint", "decision")
_IN_FORCE = ("challenge", "promote")


def recipe_in_force(run_date: date, settings: Settings) -> str:
    """The recipe last put in force with an effective date not after `run_date`, else the configured one."""
    moves = lake.read(
        PROMOTIONS, pc.field("kind").isin(_IN_FORCE) & (pc.field("effective_date") <= pa.scalar(run_date))
    )
    passed = [row for row in moves.to_pylist() if row["decision"] == "passed"]
    if not passed:
        return settings.recipe
    latest = max(passed, key=lambda row: (row["effective_date"], row["decided_at"], row["decision_id"]))
    return str(latest["recipe"])


def record(row: dict[str, Any]) -> None:
    """Append a decision; the same decision made again stands once, with the time of the last."""
    identity = json.dumps([str(row[name]) for name in _IDENTITY]).encode()
    whole = {**row, "decision_id": hashlib.sha256(identity).hexdigest()[:16], "decided_at": datetime.now(UTC)}
    lake.upsert(PROMOTIONS, pa.Table.from_pylist([whole], lake.arrow_schema(PROMOTIONS)))


def gate_decision(run_date: date, recipe: str) -> dict[str, Any]:
    """What the gate decided for `recipe` on the models that `model_metrics` has for this night.

    JobError where the night was not evaluated yet.
    """
    measured = lake.read_date(MODEL_METRICS, run_date, ["model_fingerprint"])["model_fingerprint"].to_pylist()
    of_night = (pc.field("effective_date") == pa.scalar(run_date)) & (pc.field("kind") == "gate")
    rows = lake.read(PROMOTIONS, of_night & (pc.field("recipe") == recipe)).to_pylist()
    current = [row for row in rows if row["model_fingerprint"] in measured and row["floor_fingerprint"] in measured]
    if not current:
        raise JobError(
            f"no decision on {recipe} for {run_date}: run python -m recsys_jobs.evaluate --run-date {run_date} first"
        )
    return max(current, key=lambda row: (row["decided_at"], row["decision_id"]))
