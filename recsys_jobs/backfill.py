"""Nights of a range of dates through Airflow's own backfill: `recsys backfill FROM TO`.

`airflow backfill create` makes the runs; a local scheduler runs them, one night at a time; this follows them and
ends with a table. A date counts as missing while no run of it has succeeded.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from recsys_jobs import lake
from recsys_jobs.errors import JobError, UsageError
from recsys_jobs.local_airflow import DAG, Airflow, airflow
from recsys_jobs.night import airflow_environment
from recsys_jobs.settings import lake_root
from recsys_jobs.tables import RECOMMENDATIONS

POLL = 5  # seconds
_PAGE = 100  # Airflow's largest page
_DONE = ("success", "failed")


@dataclass(frozen=True)
class Call:
    """One call: the dates, both included, and how Airflow is to go about them."""

    first: date
    last: date
    rerun: bool = False  # successful dates, too
    reverse: bool = False  # the latest date first
    allow_refused: bool = False

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise UsageError(f"FROM {self.first} is after TO {self.last}: swap them (REVERSE=1 runs the latest first)")
        if self.last >= datetime.now(UTC).date():
            raise UsageError(f"the night of {self.last} starts when that day is over (UTC): choose an earlier TO")

    @property
    def days(self) -> list[date]:
        """Every date of the range."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


@dataclass(frozen=True)
class Run:
    """One date: the state of its run in Airflow (`missing` without one), its minutes, what was wrong."""

    day: date
    state: str
    minutes: float | None = None
    run_id: str = ""
    ran_now: bool = False
    why: str = ""


@dataclass
class _Shown:
    """What was printed already: the line of each date."""

    lines: dict[date, str] = field(default_factory=dict)

    def say(self, day: date, line: str) -> None:
        if self.lines.get(day) != line:
            self.lines[day] = line
            print(f"{day}  {line}", flush=True)


def backfill(call: Call, poll: float = POLL) -> list[Run]:
    """Run the dates of `call` through Airflow and print their states; JobError where a date is not done."""
    began = datetime.now(UTC)
    with airflow() as service:
        if not _goes_on(service, call):
            _create(call)
        runs = _follow(service, call, began, poll)
    _print_table(runs)
    _judge(runs)
    return runs


def _goes_on(service: Airflow, call: Call) -> bool:
    """Whether an interrupted backfill of the same dates is there to go on with; JobError for one of other dates."""
    for one in service.get("backfills", dag_id=DAG, limit=_PAGE, order_by="-id")["backfills"]:
        if one["completed_at"]:
            continue
        first, last = (_moment(one[name]).date() for name in ("from_date", "to_date"))
        if (first, last) != (call.first, call.last):
            raise JobError(
                f"the backfill of {first} to {last} is unfinished: make backfill FROM={first} TO={last} goes on with "
                f"it, or cancel it at {service.url} (DAG {DAG}, Backfills)"
            )
        print(f"going on with the unfinished backfill {one['id']}", flush=True)
        return True
    return False


def _create(call: Call) -> None:
    """`airflow backfill create`; JobError with its own words where it does not."""
    command = ["airflow", "backfill", "create", "--dag-id", DAG, "--max-active-runs", "1"]
    command += ["--from-date", call.first.isoformat(), "--to-date", call.last.isoformat()]
    command += ["--reprocess-behavior", "completed" if call.rerun else "failed"]
    command += ["--run-backwards"] if call.reverse else []
    # a run that is cleared keeps its old configuration unless it gets a new one: a date typed then would be an error
    conf = {"date": "", "recipe": "", "allow_refused": call.allow_refused}
    command += ["--dag-run-conf", json.dumps(conf)]
    done = subprocess.run(command, env=airflow_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        words = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise JobError(f"airflow backfill create failed: {words[-1] if words else done.returncode}")


def _follow(service: Airflow, call: Call, began: datetime, poll: float) -> list[Run]:
    """Poll until every date's run is over, telling what changes."""
    shown = _Shown()
    while True:
        runs = _runs(service, call, began)
        for run in runs:
            if run.state == "running":
                shown.say(run.day, f"▸ {_at_work(service, run)}")
            elif run.ran_now and run.state in _DONE:
                shown.say(run.day, f"{run.state} after {run.minutes:.1f} min  {run.why}".rstrip())
        if all(run.state in (*_DONE, "missing") for run in runs):
            return runs
        time.sleep(poll)


def _runs(service: Airflow, call: Call, began: datetime) -> list[Run]:
    """The last run of each date, in order of date."""
    found: dict[date, dict[str, Any]] = {}
    while True:
        page = service.get(
            f"dags/{DAG}/dagRuns",
            logical_date_gte=f"{call.first}T00:00:00Z",
            logical_date_lte=f"{call.last}T00:00:00Z",
            limit=_PAGE,
            offset=len(found),
            order_by="logical_date",
        )["dag_runs"]
        found |= {_moment(one["logical_date"]).date(): one for one in page}
        if len(page) < _PAGE:
            return [_run(service, day, found.get(day), began) for day in call.days]


def _run(service: Airflow, day: date, one: dict[str, Any] | None, began: datetime) -> Run:
    if one is None:
        return Run(day, "missing")
    minutes, now = None, False
    if one["start_date"] and one["end_date"]:
        start, end = _moment(one["start_date"]), _moment(one["end_date"])
        minutes, now = (end - start).total_seconds() / 60, end > began
    why = _why(service, one["dag_run_id"]) if one["state"] == "failed" else ""
    return Run(day, one["state"], minutes, one["dag_run_id"], now, why)


def _tasks(service: Airflow, run_id: str, state: str) -> list[dict[str, Any]]:
    return list(service.get(f"dags/{DAG}/dagRuns/{run_id}/taskInstances", state=state, limit=_PAGE)["task_instances"])


def _at_work(service: Airflow, run: Run) -> str:
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


def _print_table(runs: list[Run]) -> None:
    published = set(lake.dates(RECOMMENDATIONS))
    print(f"\n{'date':12}{'state':10}{'minutes':>8}  published")
    for run in runs:
        minutes = f"{run.minutes:.1f}" if run.minutes is not None and run.ran_now else "before" if run.minutes else ""
        print(f"{run.day!s:12}{run.state:10}{minutes:>8}  {'yes' if run.day in published else 'no'}")


def _judge(runs: list[Run]) -> None:
    """JobError unless every date succeeded and stands in the lake."""
    bad = _those(runs, lambda run: run.state != "success")
    if bad:
        raise JobError(
            f"{len(bad)} of {len(runs)} dates are not done: {', '.join(bad)}; the same call tries them again"
        )
    published = set(lake.dates(RECOMMENDATIONS))
    lost = _those(runs, lambda run: run.day not in published)
    if lost:
        raise JobError(
            f"Airflow has run {', '.join(lost)}, and {lake_root()} has no recommendations of it: these runs were of "
            "another lake; add RERUN=1"
        )


def _those(runs: list[Run], which: Callable[[Run], bool]) -> list[str]:
    return [str(run.day) for run in runs if which(run)]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
