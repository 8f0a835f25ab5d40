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
from recsys_jobs.operations.airflow.airflow_api import DAG, Airflow, parse_time
from recsys_jobs.operations.airflow.backfill_runs import Run
from recsys_jobs.operations.airflow.local_airflow import running_airflow
from recsys_jobs.operations.airflow.night_runner import airflow_environment

POLL = 5  # seconds
_DONE = ("success", "failed")
_LOCKED = "database is locked"  # SQLite's: a scheduler wrote meanwhile
_TRIES = 5


@dataclass(frozen=True)
class BackfillOptions:
    """One backfill: the dates, both included, and how Airflow is to run them."""

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


def backfill(options: BackfillOptions, poll: float = POLL) -> list[Run]:
    """Run the dates through Airflow and print their states; JobError where a date is not done."""
    began = datetime.now(UTC)
    with running_airflow() as service:
        if options.rerun or not _all_done(service, options, began):
            _start_backfill(service, options, poll)
        runs = _follow(service, options, began, poll)
    _print_table(runs)
    _require_success(runs)
    return runs


def _all_done(service: Airflow, options: BackfillOptions, began: datetime) -> bool:
    return all(run.state == "success" for run in backfill_runs.runs(service, options.days, began))


def _start_backfill(service: Airflow, options: BackfillOptions, poll: float) -> None:
    """Create the backfill, or resume the one that was interrupted: Airflow has one at a time.

    A backfill that a locked database cut short may leave dates out: it is cancelled, and made again.
    """
    unfinished = backfill_runs.unfinished(service, poll)
    if unfinished is not None:
        _resume(service, unfinished, options)
        return
    for _ in range(_TRIES):
        if _create(options):
            return
        backfill_runs.cancel_open(service)
        time.sleep(poll)
    raise JobError(f"airflow backfill create found Airflow's database locked {_TRIES} times: call this again")


def _resume(service: Airflow, unfinished: dict[str, Any], options: BackfillOptions) -> None:
    """Print that an interrupted backfill of the same dates goes on; JobError for one of other dates."""
    first, last = (parse_time(unfinished[name]).date() for name in ("from_date", "to_date"))
    if (first, last) != (options.first, options.last):
        raise JobError(
            f"the backfill of {first} to {last} is unfinished: make backfill FROM={first} TO={last} goes on with "
            f"it, or cancel it at {service.url} (DAG {DAG}, Backfills)"
        )
    print(f"going on with the unfinished backfill {unfinished['id']}", flush=True)


def _create(options: BackfillOptions) -> bool:
    """Run `airflow backfill create`; False where its database was locked, JobError where it fails otherwise."""
    command = ["airflow", "backfill", "create", "--dag-id", DAG, "--max-active-runs", "1"]
    command += ["--from-date", options.first.isoformat(), "--to-date", options.last.isoformat()]
    command += ["--reprocess-behavior", "completed" if options.rerun else "failed"]
    command += ["--run-backwards"] if options.reverse else []
    # a run that is cleared keeps its old configuration unless it gets a new one: a date typed then would be an error
    conf = {"date": "", "recipe": "", "allow_refused": options.allow_refused}
    command += ["--dag-run-conf", json.dumps(conf)]
    process = subprocess.run(command, env=airflow_environment(), capture_output=True, text=True, check=False)
    output = process.stdout + process.stderr
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if process.returncode and not any(_LOCKED in line for line in lines):
        raise JobError(f"airflow backfill create failed: {lines[-1] if lines else process.returncode}")
    return process.returncode == 0


def _follow(service: Airflow, options: BackfillOptions, began: datetime, poll: float) -> list[Run]:
    """Poll until every date's run is over, and print each change."""
    printed: dict[date, str] = {}
    while True:
        runs = backfill_runs.runs(service, options.days, began)
        for run in runs:
            line = _progress_line(service, run)
            if line and printed.get(run.day) != line:
                print(f"{run.day}  {line}", flush=True)
                printed[run.day] = line
        if all(run.state in (*_DONE, "missing") for run in runs):
            return runs
        time.sleep(poll)


def _progress_line(service: Airflow, run: Run) -> str:
    """Return a date's line of progress; an empty one where it waits, or was done before."""
    if run.state == "running":
        return f"▸ {backfill_runs.running_tasks(service, run)}"
    if run.ran_now and run.state in _DONE:
        return f"{run.state} after {run.minutes:.1f} min  {run.why}".rstrip()
    return ""


def _print_table(runs: list[Run]) -> None:
    published = set(delta.dates(RECOMMENDATIONS))
    print(f"\n{'date':12}{'state':10}{'minutes':>8}  published")
    for run in runs:
        is_published = "yes" if run.day in published else "no"
        print(f"{run.day!s:12}{run.state:10}{_minutes(run):>8}  {is_published}")


def _minutes(run: Run) -> str:
    if run.minutes is not None and run.ran_now:
        return f"{run.minutes:.1f}"
    return "before" if run.minutes else ""


def _require_success(runs: list[Run]) -> None:
    """JobError unless every date succeeded and stands in the lake."""
    failed = _days_where(runs, lambda run: run.state != "success")
    if failed:
        raise JobError(
            f"{len(failed)} of {len(runs)} dates are not done: {', '.join(failed)}; the same call tries them again"
        )
    published = set(delta.dates(RECOMMENDATIONS))
    lost = _days_where(runs, lambda run: run.day not in published)
    if lost:
        raise JobError(
            f"Airflow has run {', '.join(lost)}, and {lake_root()} has no recommendations of it: these runs were of "
            "another lake; add RERUN=1"
        )


def _days_where(runs: list[Run], condition: Callable[[Run], bool]) -> list[str]:
    return [str(run.day) for run in runs if condition(run)]
