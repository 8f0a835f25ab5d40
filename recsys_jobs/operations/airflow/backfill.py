"""Nights of a range of dates through Airflow's own backfill: `recsys backfill FROM TO`.

`airflow backfill create` makes the runs; a local scheduler runs them, one night at a time; this follows them and
ends with a table. A date counts as missing while no run of it has succeeded.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import lake_root
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta
from recsys_jobs.operations.airflow import backfill_runs
from recsys_jobs.operations.airflow.airflow_api import DAG, Airflow, moment
from recsys_jobs.operations.airflow.backfill_runs import Run
from recsys_jobs.operations.airflow.local_airflow import airflow
from recsys_jobs.operations.airflow.night_runner import airflow_environment

POLL = 5  # seconds
_DONE = ("success", "failed")
_LOCKED = "database is locked"  # SQLite's: a scheduler wrote meanwhile
_TRIES = 5


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


def backfill(call: Call, poll: float = POLL) -> list[Run]:
    """Run the dates of `call` through Airflow and print their states; JobError where a date is not done."""
    began = datetime.now(UTC)
    with airflow() as service:
        if call.rerun or not _all_done(service, call, began):
            _begin(service, call, poll)
        runs = _follow(service, call, began, poll)
    _print_table(runs)
    _judge(runs)
    return runs


def _all_done(service: Airflow, call: Call, began: datetime) -> bool:
    return all(run.state == "success" for run in backfill_runs.runs(service, call.days, began))


def _begin(service: Airflow, call: Call, poll: float) -> None:
    """Create the backfill, or go on with the one that was interrupted: Airflow has one at a time.

    What a locked database cut short may leave dates out: it is cancelled, and made again whole.
    """
    unfinished = backfill_runs.unfinished(service, poll)
    if unfinished is not None:
        _go_on(service, unfinished, call)
        return
    for _ in range(_TRIES):
        if _create(call):
            return
        backfill_runs.cancel_open(service)
        time.sleep(poll)
    raise JobError(f"airflow backfill create found Airflow's database locked {_TRIES} times: call this again")


def _go_on(service: Airflow, unfinished: dict[str, Any], call: Call) -> None:
    """Say that an interrupted backfill of the same dates goes on; JobError for one of other dates."""
    first, last = (moment(unfinished[name]).date() for name in ("from_date", "to_date"))
    if (first, last) != (call.first, call.last):
        raise JobError(
            f"the backfill of {first} to {last} is unfinished: make backfill FROM={first} TO={last} goes on with "
            f"it, or cancel it at {service.url} (DAG {DAG}, Backfills)"
        )
    print(f"going on with the unfinished backfill {unfinished['id']}", flush=True)


def _create(call: Call) -> bool:
    """`airflow backfill create`; False where the scheduler had its database, JobError where it fails otherwise."""
    command = ["airflow", "backfill", "create", "--dag-id", DAG, "--max-active-runs", "1"]
    command += ["--from-date", call.first.isoformat(), "--to-date", call.last.isoformat()]
    command += ["--reprocess-behavior", "completed" if call.rerun else "failed"]
    command += ["--run-backwards"] if call.reverse else []
    # a run that is cleared keeps its old configuration unless it gets a new one: a date typed then would be an error
    conf = {"date": "", "recipe": "", "allow_refused": call.allow_refused}
    command += ["--dag-run-conf", json.dumps(conf)]
    done = subprocess.run(command, env=airflow_environment(), capture_output=True, text=True, check=False)
    words = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode and not any(_LOCKED in line for line in words):
        raise JobError(f"airflow backfill create failed: {words[-1] if words else done.returncode}")
    return done.returncode == 0


def _follow(service: Airflow, call: Call, began: datetime, poll: float) -> list[Run]:
    """Poll until every date's run is over, telling what changes."""
    said: dict[date, str] = {}
    while True:
        runs = backfill_runs.runs(service, call.days, began)
        for run in runs:
            line = _line(service, run)
            if line and said.get(run.day) != line:
                print(f"{run.day}  {line}", flush=True)
                said[run.day] = line
        if all(run.state in (*_DONE, "missing") for run in runs):
            return runs
        time.sleep(poll)


def _line(service: Airflow, run: Run) -> str:
    """What there is to say about a date; nothing of one that waits, or was done before."""
    if run.state == "running":
        return f"▸ {backfill_runs.at_work(service, run)}"
    if run.ran_now and run.state in _DONE:
        return f"{run.state} after {run.minutes:.1f} min  {run.why}".rstrip()
    return ""


def _print_table(runs: list[Run]) -> None:
    published = set(delta.dates(RECOMMENDATIONS))
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
    published = set(delta.dates(RECOMMENDATIONS))
    lost = _those(runs, lambda run: run.day not in published)
    if lost:
        raise JobError(
            f"Airflow has run {', '.join(lost)}, and {lake_root()} has no recommendations of it: these runs were of "
            "another lake; add RERUN=1"
        )


def _those(runs: list[Run], which: Callable[[Run], bool]) -> list[str]:
    return [str(run.day) for run in runs if which(run)]
