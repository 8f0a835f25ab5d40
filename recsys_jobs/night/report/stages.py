"""The night's tasks: their seconds, as Airflow measured them, and the rows that they left in the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import duckdb

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.night_steps import STEPS


class Stage(NamedTuple):
    """One task; None where a number is not known, or there are no rows to count."""

    task: str
    seconds: float | None
    rows: int | None


def stages(connection: duckdb.DuckDBPyConnection, night: date, seconds: dict[str, float]) -> list[Stage]:
    """The tasks that Airflow timed, else those that leave rows, in the night's order where it is known."""
    rows: dict[str, int] = {}
    for step in STEPS.values():
        if step.rows and (count := connection.execute(step.rows, {"night": night}).fetchone()):
            rows[step.task] = int(count[0])
    return [Stage(task, seconds.get(task), rows.get(task)) for task in _in_order({**seconds, **rows})]


def _in_order(tasks: Iterable[str]) -> list[str]:
    """The night's own tasks in its order, then those that it does not know."""
    position_of = {task: position for position, task in enumerate(STEPS)}
    return sorted(tasks, key=lambda task: (position_of.get(task, len(position_of)), task))


def parse_seconds(text: str) -> dict[str, float]:
    """Seconds by task from a JSON object; UsageError where it is none."""
    try:
        seconds_of = json.loads(text or "{}")
        return {str(task): float(seconds) for task, seconds in seconds_of.items()}
    except (ValueError, TypeError, AttributeError):
        raise UsageError(
            f"RECSYS_STAGE_SECONDS takes a JSON object of task names and seconds, not {text[:200]!r}"
        ) from None
