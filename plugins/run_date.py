"""The date that a DAG run stands for, decided once.

A scheduled or backfilled run covers the day its logical date names and starts after the end of it.
A manual run may name any day; without one it is the logical date's, and without a logical date
the last whole day before it was asked for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any


def run_date(dag_run: Any, params: dict[str, Any]) -> str:
    """The date (YYYY-MM-DD) that a DAG run stands for.

    Raises ValueError for a date that is none, and for one typed into a backfill: a backfill hands
    one configuration to all its runs, so every night of it would run as that same date.
    """
    typed = params.get("date") or ""
    if typed and str(dag_run.run_type) == "backfill":
        raise ValueError("a backfill takes its dates from --from-date and --to-date: leave the parameter `date` empty")
    if typed:
        return date.fromisoformat(typed).isoformat()
    if dag_run.logical_date is not None:
        return _utc(dag_run.logical_date).date().isoformat()
    return (_utc(dag_run.run_after) - timedelta(days=1)).date().isoformat()


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
