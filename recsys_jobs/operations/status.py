"""Where everything stands, in one screen: the last good night, its age, what runs, what is red, what serves, disk.

All from the lake's log, the small tables and, where one is up, Airflow's API: it takes a second and changes nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import httpx

from recsys_jobs.contracts.errors import JobError, UsageError, sanitize
from recsys_jobs.contracts.settings import lake_root, registered_name, var_dir
from recsys_jobs.contracts.tables import CUTS
from recsys_jobs.lake import delta
from recsys_jobs.lake.partitions import open_partitions
from recsys_jobs.operations.airflow import local_airflow
from recsys_jobs.operations.airflow.airflow_api import DAG, Airflow
from recsys_jobs.pages.nights import Night, freshness, nights_of
from recsys_jobs.pages.sources import published_nights

_RECENT = 5  # runs and nights that are looked at
_GB = 1e9


def status_lines(now: datetime | None = None) -> list[str]:
    """The screen, a line each."""
    published = published_nights()
    with open_partitions() as partitions:
        nights = nights_of(partitions, published[:_RECENT], published, {})
    return [*_last_night(published, now or datetime.now(UTC)), *_serving(nights), *_odd(nights), *_airflow(), *_disk()]


def _last_night(published: list[date], now: datetime) -> Iterator[str]:
    newest = freshness(now, published)
    if newest.night is None:
        yield "night     nothing is published yet: make demo, or make nightly DATE=2014-03-01 LANDING=dir"
        return
    hours = max(0, int(newest.age.total_seconds() // 3600))
    age = f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
    stale = ": late, a live night should have come since" if newest.is_stale else ""
    yield f"night     {newest.night} is the last that is published; its day ended {age} ago{stale}"
    if missing := [str(day) for day in delta.dates(CUTS) if day not in published and day > published[-1]]:
        yield f"missing   {', '.join(missing[-_RECENT:])}: begun, and not published"


def _serving(nights: list[Night]) -> Iterator[str]:
    for night in nights[:1]:
        yield f"serves    {night.model or registered_name(lake_root())}, recipe {night.recipe}, {night.people:,} people"
        yield f"why       {sanitize(night.reason)}"


def _odd(nights: list[Night]) -> Iterator[str]:
    for night in nights:
        for sentence in night.alerts:
            yield f"odd       {night.night}: {sanitize(sentence)}"


def _airflow() -> Iterator[str]:
    """What runs and what is red, by Airflow's API; where none is up, that."""
    try:
        url = local_airflow.running_url()
        if url is None:
            yield "Airflow   none is up at this home: make ui starts one"
            return
        with httpx.Client(timeout=20) as client:
            service = Airflow(url, client, local_airflow.passwords_file())
            yield f"Airflow   {url}"
            yield from _runs(service)
    except (JobError, UsageError) as error:
        yield f"Airflow   {sanitize(str(error))}"


def _runs(service: Airflow) -> Iterator[str]:
    for state, word in (("running", "runs"), ("failed", "red")):
        found = service.get(f"dags/{DAG}/dagRuns", state=state, order_by="-run_after", limit=_RECENT)["dag_runs"]
        for run in found:
            path = f"dags/{DAG}/dagRuns/{run['dag_run_id']}/taskInstances"
            tasks = ", ".join(task["task_id"] for task in service.get(path, state=state, limit=10)["task_instances"])
            yield f"{word:10}{run['dag_run_id']}: {tasks or 'waiting'}"


def _disk() -> Iterator[str]:
    lake, var = lake_root(), var_dir()
    sizes = [f"lake {_size(lake) / _GB:.1f} GB"]
    sizes += [f"everything else {_size(var, without=lake) / _GB:.1f} GB"]
    nearest = next(folder for folder in (var, *var.parents) if folder.exists())
    yield f"disk      {', '.join(sizes)}; {shutil.disk_usage(nearest).free / _GB:.1f} GB free"


def _size(folder: Path, without: Path | None = None) -> int:
    """Bytes of the files below a folder; links are not followed, nor is the folder `without` entered."""
    total = 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(place, name) != without]
        for name in files:
            try:
                total += os.lstat(Path(place, name)).st_size
            except FileNotFoundError:  # a running night removes some
                continue
    return total
