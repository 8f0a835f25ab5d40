"""Runs one night through Airflow (`airflow dags test`) and shows what it is doing.

Airflow's whole log goes to `var/logs/night-<date>.log`; the terminal gets a line when a task starts,
the job's own lines under it, and a line when it ends.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import IO

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import ROOT, var_dir

_LINE = re.compile(r"^(?P<time>\S+Z) \[(?P<level>\w+) *\] (?P<text>.*)$")
_JOB = re.compile(r" \[airflow\.task\.operators\.plugins\.job_operator\.JobOperator\] loc=.*$")
_START = re.compile(r"^\[DAG TEST\] starting task_id=(\S+)")
_END = re.compile(r"^\[DAG TEST\] end task task_id=(\S+)")
_FAILED = re.compile(r"nightly \S+: (?P<task>\S+) failed: (?P<why>.*?) +\[plugins\.alerts\]")

_JWT_BYTES = 64


@dataclass
class TaskTime:
    """One task of a night: its wall time in seconds and its job's lines."""

    task: str
    seconds: float
    lines: list[str]


@dataclass
class Night:
    """One finished night: its tasks in the order they ran, and the errors of the red ones."""

    run_date: date
    tasks: list[TaskTime]
    errors: list[str]
    log: Path


def airflow_environment() -> dict[str, str]:
    """The environment in which Airflow finds this project's DAGs, plugins and its own home under `var`."""
    home = var_dir() / "airflow"
    project = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        "AIRFLOW__API_AUTH__JWT_SECRET_CMD": f"cat {shlex.quote(str(_jwt_secret(home)))}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    return {**project, **os.environ, "PATH": project["PATH"], "PYTHONPATH": project["PYTHONPATH"]}


def _jwt_secret(home: Path) -> Path:
    """The file of the key that signs logins, made once and its owner's alone; Airflow reads it when it needs it.

    HS512 wants 64 bytes; the key that Airflow writes into its own configuration has 24.
    """
    path = home / "jwt_secret"
    home.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(_JWT_BYTES // 2))
    return path


def prepare_airflow(environment: dict[str, str]) -> None:
    """Create or migrate Airflow's database, once for each version of Airflow."""
    stamp = Path(environment["AIRFLOW_HOME"]) / f"migrated-{version('apache-airflow')}"
    if stamp.exists():
        return
    stamp.parent.mkdir(parents=True, exist_ok=True)
    command = ["airflow", "db", "migrate"]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        raise JobError(f"airflow db migrate failed: {(process.stderr or process.stdout).strip()[-2000:]}")
    stamp.touch()


def run_night(run_date: date, recipe: str = "", allow_refused: bool = False) -> Night:
    """Run the nightly DAG for `run_date`; JobError, naming the red tasks, where one failed."""
    environment = airflow_environment() | {"RECSYS_PUBLISH_WITHIN": "0"}  # see plugins/deadline.py
    prepare_airflow(environment)
    conf = {"date": run_date.isoformat(), "recipe": recipe, "allow_refused": allow_refused}
    command = ["airflow", "dags", "test", "nightly", run_date.isoformat(), "--conf", json.dumps(conf)]
    log = var_dir() / "logs" / f"night-{run_date}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    night = Night(run_date, [], [], log)
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        assert process.stdout is not None
        _follow(_tee(process.stdout, file), night)
        status = process.wait()
    return _require_success(night, status)


def _tee(lines: IO[str], file: IO[str]) -> Iterator[str]:
    for line in lines:
        file.write(line)
        file.flush()
        yield line


def _follow(lines: Iterator[str], night: Night) -> None:
    """Print the lines of Airflow's log that are tasks' or their jobs', and collect tasks and errors."""
    began = time.monotonic()
    for line in lines:
        logged = _LINE.match(line)
        text = logged["text"] if logged else ""
        if started := _START.match(text):
            began = time.monotonic()
            night.tasks.append(TaskTime(started[1], 0.0, []))
            print(f"▸ {started[1]}", flush=True)
        elif _JOB.search(text) and night.tasks:
            job_line = _JOB.sub("", text).rstrip()
            night.tasks[-1].lines.append(job_line)
            print(f"    {job_line}", flush=True)
        elif failed := _FAILED.search(text):
            night.errors.append(f"{failed['task']}: {failed['why']}")
        elif _END.match(text) and night.tasks:
            task = night.tasks[-1]
            task.seconds = time.monotonic() - began
            print(f"  {task.task} took {task.seconds:.1f} s", flush=True)


def _require_success(night: Night, status: int) -> Night:
    if night.errors:
        raise JobError(f"the night of {night.run_date} is red: {'; '.join(night.errors)} (whole log: {night.log})")
    if status:
        raise JobError(f"airflow ended with exit status {status} on the night of {night.run_date}: see {night.log}")
    return night
