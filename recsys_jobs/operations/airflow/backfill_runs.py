"""The runs of the nightly DAG, one a date, as Airflow tells them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.operations.airflow.airflow_api import DAG, PAGE, Airflow, moment

_CLOSED = 180  # seconds in which Airflow closes a backfill whose runs are over


@dataclass(frozen=True)
class Run:
    """One date: the state of its run in Airflow (`missing` without one), its minutes, what was wrong."""

    day: date
    state: str
    minutes: float | None = None
    run_id: str = ""
    ran_now: bool = False
    why: str = ""


def runs(service: Airflow, days: list[date], began: datetime) -> list[Run]:
    """The last run of each date, in order of date."""
    found: dict[date, dict[str, Any]] = {}
    while True:
        page = service.get(
            f"dags/{DAG}/dagRuns",
            logical_date_gte=f"{days[0]}T00:00:00Z",
            logical_date_lte=f"{days[-1]}T00:00:00Z",
            limit=PAGE,
            offset=len(found),
            order_by="logical_date",
        )["dag_runs"]
        found |= {moment(one["logical_date"]).date(): one for one in page}
        if len(page) < PAGE:
            return [_run(service, day, found.get(day), began) for day in days]


def _run(service: Airflow, day: date, one: dict[str, Any] | None, began: datetime) -> Run:
    if one is None:
        return Run(day, "missing")
    minutes, now = None, False
    if one["start_date"] and one["end_date"]:
        start, end = moment(one["start_date"]), moment(one["end_date"])
        minutes, now = (end - start).total_seconds() / 60, end > began
    why = _why(service, one["dag_run_id"]) if one["state"] == "failed" else ""
    return Run(day, one["state"], minutes, one["dag_run_id"], now, why)


def _tasks(service: Airflow, run_id: str, state: str) -> list[dict[str, Any]]:
    return list(service.get(f"dags/{DAG}/dagRuns/{run_id}/taskInstances", state=state, limit=PAGE)["task_instances"])


def at_work(service: Airflow, run: Run) -> str:
    names = sorted(task["task_id"] for task in _tasks(service, run.run_id, "running"))
    return ", ".join(names) or "waiting"


def _why(service: Airflow, run_id: str) -> str:
    """The failed tasks of a run, each with its job's verdict."""
    return "; ".join(
        f"{task['task_id']}: {_verdict(service, run_id, task)}" for task in _tasks(service, run_id, "failed")
    )


def _verdict(service: Airflow, run_id: str, task: dict[str, Any]) -> str:
    """The last line `error: …` of the task's log, or where to read it."""
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
    while open_ones := _open(service):
        if _has_work(service, open_ones[0]):
            return open_ones[0]
        if time.monotonic() > until:
            raise JobError(f"backfill {open_ones[0]['id']} has no run to go and stays open: cancel it at {service.url}")
        time.sleep(poll)
    return None


def cancel_open(service: Airflow) -> None:
    """Cancel the DAG's open backfill, if there is one: its waiting runs end as failed, one at work goes on."""
    for one in _open(service):
        service.put(f"backfills/{one['id']}/cancel")


def _open(service: Airflow) -> list[dict[str, Any]]:
    found = service.get("backfills", dag_id=DAG, limit=PAGE, order_by="-id")["backfills"]
    return [one for one in found if not one["completed_at"]]


def _has_work(service: Airflow, one: dict[str, Any]) -> bool:
    dates = {"logical_date_gte": one["from_date"], "logical_date_lte": one["to_date"]}
    to_go = service.get(f"dags/{DAG}/dagRuns", state=["queued", "running"], run_type="backfill", limit=1, **dates)
    return bool(to_go["dag_runs"])
