"""The runs of the nightly DAG, one a date, by Airflow's API."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.operations.airflow.airflow_api import DAG, PAGE, Airflow, parse_time

_CLOSED = 180  # seconds in which Airflow closes a backfill whose runs are over


@dataclass(frozen=True)
class Run:
    """One date: the state of its run in Airflow (`missing` without one), its minutes, the reasons of its failure."""

    day: date
    state: str
    minutes: float | None = None
    run_id: str = ""
    ran_now: bool = False
    why: str = ""


def runs(service: Airflow, days: list[date], began: datetime) -> list[Run]:
    """The last run of each date, in order of date."""
    by_day: dict[date, dict[str, Any]] = {}
    while True:
        page = service.get(
            f"dags/{DAG}/dagRuns",
            logical_date_gte=f"{days[0]}T00:00:00Z",
            logical_date_lte=f"{days[-1]}T00:00:00Z",
            limit=PAGE,
            offset=len(by_day),
            order_by="logical_date",
        )["dag_runs"]
        by_day |= {parse_time(dag_run["logical_date"]).date(): dag_run for dag_run in page}
        if len(page) < PAGE:
            return [_run(service, day, by_day.get(day), began) for day in days]


def _run(service: Airflow, day: date, dag_run: dict[str, Any] | None, began: datetime) -> Run:
    if dag_run is None:
        return Run(day, "missing")
    run_id, state = dag_run["dag_run_id"], dag_run["state"]
    minutes, ran_now = None, False
    if dag_run["start_date"] and dag_run["end_date"]:
        start, end = parse_time(dag_run["start_date"]), parse_time(dag_run["end_date"])
        minutes, ran_now = (end - start).total_seconds() / 60, end > began
    why = _failure_reasons(service, run_id) if state == "failed" else ""
    return Run(day, state, minutes, run_id, ran_now, why)


def _tasks(service: Airflow, run_id: str, state: str) -> list[dict[str, Any]]:
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances"
    return list(service.get(path, state=state, limit=PAGE)["task_instances"])


def running_tasks(service: Airflow, run: Run) -> str:
    """Return the names of the tasks of a run that are at work now."""
    names = sorted(task["task_id"] for task in _tasks(service, run.run_id, "running"))
    return ", ".join(names) or "waiting"


def _failure_reasons(service: Airflow, run_id: str) -> str:
    """Return the failed tasks of a run, each with its job's verdict."""
    failed = _tasks(service, run_id, "failed")
    return "; ".join(f"{task['task_id']}: {_verdict(service, run_id, task)}" for task in failed)


def _verdict(service: Airflow, run_id: str, task: dict[str, Any]) -> str:
    """Return the last line `error: …` of the task's log, or where to read it."""
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
    content = service.get(path, full_content=True).get("content") or []
    events = [line.get("event", "") if isinstance(line, dict) else str(line) for line in content]
    errors = [event for event in events if event.startswith("error: ")]
    return errors[-1] if errors else f"its log is in {service.url}/dags/{DAG}/runs/{run_id}"


def unfinished(service: Airflow, poll: float) -> dict[str, Any] | None:
    """The backfill of the DAG that has runs to go, or None.

    Airflow closes one whose runs are over at its next round, half a minute later; that is waited for.
    """
    until = time.monotonic() + _CLOSED
    while backfills := _open_backfills(service):
        newest = backfills[0]
        if _has_runs_to_go(service, newest):
            return newest
        if time.monotonic() > until:
            raise JobError(f"backfill {newest['id']} has no run to go and stays open: cancel it at {service.url}")
        time.sleep(poll)
    return None


def cancel_open(service: Airflow) -> None:
    """Cancel the DAG's open backfill, if there is one: its waiting runs end as failed, one at work goes on."""
    for backfill in _open_backfills(service):
        service.put(f"backfills/{backfill['id']}/cancel")


def _open_backfills(service: Airflow) -> list[dict[str, Any]]:
    backfills = service.get("backfills", dag_id=DAG, limit=PAGE, order_by="-id")["backfills"]
    return [backfill for backfill in backfills if not backfill["completed_at"]]


def _has_runs_to_go(service: Airflow, backfill: dict[str, Any]) -> bool:
    dates = {"logical_date_gte": backfill["from_date"], "logical_date_lte": backfill["to_date"]}
    states = ["queued", "running"]
    answer = service.get(f"dags/{DAG}/dagRuns", state=states, run_type="backfill", limit=1, **dates)
    return bool(answer["dag_runs"])
