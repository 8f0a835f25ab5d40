"""The runs of the nightly DAG by the date that they are about, from Airflow's own database."""

from __future__ import annotations

from datetime import date
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from plugins.no_running_nights import NIGHTS
from plugins.run_date import run_date
from recsys_jobs.pages.nights import NightRun

_RUNS = 1000  # the newest, which are looked at
_TOLD = ("failed", "running", "up_for_retry")


def runs_by_night() -> dict[date, NightRun]:
    """The newest run of each date, with its failed and its running tasks."""
    with create_session() as session:
        newest_first = select(DagRun).where(DagRun.dag_id == NIGHTS).order_by(DagRun.run_after.desc()).limit(_RUNS)
        by_night: dict[date, DagRun] = {}
        for run in sorted(session.scalars(newest_first), key=_began):
            if day := _day(run):
                by_night[day] = run
        run_ids = [run.run_id for run in by_night.values()]
        tasks, minutes = _tasks(session, run_ids), _minutes(session, run_ids)
        return {
            day: _night_run(day, run, tasks.get(run.run_id, []), minutes.get(run.run_id))
            for day, run in by_night.items()
        }


def _began(run: Any) -> Any:
    return run.start_date or run.queued_at or run.run_after


def _day(run: Any) -> date | None:
    """The date that the run is about; None where it was given none that is one."""
    try:
        return date.fromisoformat(run_date(run, run.conf if isinstance(run.conf, dict) else {}))
    except (ValueError, TypeError):
        return None


def _tasks(session: Session, run_ids: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Task and state of each task that failed or runs, by run."""
    of_runs = (TaskInstance.dag_id == NIGHTS) & TaskInstance.run_id.in_(run_ids)
    query = select(TaskInstance.run_id, TaskInstance.task_id, TaskInstance.state)
    found: dict[str, list[tuple[str, str]]] = {}
    for run_id, task, state in session.execute(query.where(of_runs, TaskInstance.state.in_(_TOLD))):
        found.setdefault(run_id, []).append((task, str(state)))
    return found


def _minutes(session: Session, run_ids: list[str]) -> dict[str, float]:
    """From the first task's start to the last one's end: `airflow dags test` starts its runs at their logical date."""
    span = (func.min(TaskInstance.start_date), func.max(TaskInstance.end_date))
    of_runs = (TaskInstance.dag_id == NIGHTS) & TaskInstance.run_id.in_(run_ids)
    query = select(TaskInstance.run_id, *span).where(of_runs).group_by(TaskInstance.run_id)
    return {run: (end - start).total_seconds() / 60 for run, start, end in session.execute(query) if start and end}


def _night_run(day: date, run: Any, tasks: list[tuple[str, str]], minutes: float | None) -> NightRun:
    failed = tuple(sorted(task for task, state in tasks if state == "failed"))
    running = tuple(sorted(task for task, state in tasks if state != "failed"))
    return NightRun(day, run.run_id, str(getattr(run.state, "value", run.state)), minutes, failed, running)
