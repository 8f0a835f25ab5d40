"""What each task of the night took and left behind: seconds as Airflow measured them, rows as the tables have them."""

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
    counting = {step.task: step.rows for step in STEPS.values() if step.rows}
    counted = {task: connection.execute(query, {"night": night}).fetchone() for task, query in counting.items()}
    rows = {task: int(count[0]) for task, count in counted.items() if count}
    return [Stage(task, seconds.get(task), rows.get(task)) for task in _in_order({**seconds, **rows})]


def _in_order(tasks: Iterable[str]) -> list[str]:
    """The night's own tasks in its order, then those that it does not know."""
    places = {task: place for place, task in enumerate(STEPS)}
    return sorted(tasks, key=lambda task: (places.get(task, len(places)), task))


def parse_seconds(text: str) -> dict[str, float]:
    """Seconds by task from a JSON object; UsageError where it is none."""
    try:
        read = json.loads(text or "{}")
        return {str(task): float(seconds) for task, seconds in read.items()}
    except (ValueError, TypeError, AttributeError):
        raise UsageError(
            f"RECSYS_STAGE_SECONDS takes a JSON object of task names and seconds, not {text[:200]!r}"
        ) from None
