"""Rings for a night whose slates are not published in time, and names the stage that is slow against its usual time.

Airflow imports this to look whether the callback is one, whenever it parses the DAG: what reads the lake is imported
when it rings.
"""

from __future__ import annotations

import time
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

from plugins import stage_times
from plugins.alerts import send_alert
from plugins.run_date import run_date

_TIMES = ("logical_date", "run_after")


def alert_if_late(context: dict[str, Any]) -> None:
    """Send an alert unless the night of the run is published.

    A backfill's runs are queued all at once, and each waits for those before it: they have no deadline.
    """
    from recsys_jobs.pages.sources import published_nights

    run = context["dag_run"]
    if run["run_type"] == "backfill":
        return
    night, published = _night(run), published_nights()
    if night in published:
        return
    send_alert(late_line(run, night, published, time.time()))


def late_line(run: dict[str, Any], night: date, published: list[date], now: float) -> str:
    """One line: which night is late, which stage it waits for, and what people see meanwhile."""
    from recsys_jobs.pages.night import usual_seconds

    times = stage_times.seconds(run["dag_id"], run["dag_run_id"], now)
    stands = f"the slates of {max(published)} stand" if published else "no slates stand"
    return (
        f"{run['dag_id']} {run['dag_run_id']}: late: the night of {night} is not published; "
        f"{slow_stage(times, usual_seconds(night, published))}; {stands}"
    )


def slow_stage(times: dict[str, tuple[float, bool]], usual: dict[str, float]) -> str:
    """The stage that has taken longest beyond its usual time; one that is at work goes before those that are done."""
    if not times:
        return "no stage has begun"
    at_work = {task: taken for task, (taken, is_running) in times.items() if is_running}
    done = {task: taken for task, (taken, _) in times.items()}
    task, taken = max((at_work or done).items(), key=lambda one: one[1] - usual.get(one[0], 0.0))
    usually = f"usually {_words(usual[task])}" if task in usual else "its usual time is not known"
    verb = "is at work since" if at_work else "took longest:"
    return f"{task} {verb} {_words(taken)}, {usually}"


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _night(run: dict[str, Any]) -> date:
    """The date of a run as Airflow hands it to a callback: a dictionary, its times as text."""
    logical, after = (datetime.fromisoformat(run[name]) if run.get(name) else None for name in _TIMES)
    described = SimpleNamespace(run_type=run["run_type"], logical_date=logical, run_after=after)
    return date.fromisoformat(run_date(described, run.get("conf") or {}))
