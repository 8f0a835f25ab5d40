"""A local Airflow with a real scheduler: the one that serves this home already, or one started for a while.

What runs is written to `serving.json` in Airflow's home, so that a second command finds it. A scheduler's jobs
inherit its environment: a command that means other places than the running one is refused.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import ROOT, lake_root, landing_zone, tracking_uri, var_dir
from recsys_jobs.operations.airflow.airflow_api import DAG, Airflow, parse_time
from recsys_jobs.operations.airflow.night_runner import airflow_environment, prepare_airflow

START = 300  # seconds in which Airflow must be up; a loaded machine takes two minutes
GRACE = 30  # seconds between SIGTERM and SIGKILL
_STAMP, _PASSWORDS = "serving.json", "passwords.json"


def login_environment(passwords: Path, port: int) -> dict[str, str]:
    """Environment of an API server on localhost whose user `admin` has a random password.

    It is made once and readable by its owner alone.
    """
    if not passwords.exists():
        passwords.parent.mkdir(parents=True, exist_ok=True)
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}), encoding="utf-8")
    return {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
    }


def write_stamp(pid: int, port: int) -> None:
    """Record that process `pid` serves this home on `port`, and which places its jobs use."""
    path = _home() / _STAMP
    path.write_text(json.dumps({"pid": pid, "port": port, "places": _places()}), encoding="utf-8")


@contextmanager
def running_airflow() -> Iterator[Airflow]:
    """The running Airflow, its nightly DAG unpaused; else one of our own, stopped at the end.

    Our own starts no live nights, and leaves the DAG paused or not as it was. UsageError where another command runs
    an Airflow on this home for other places, or with the DAG paused.
    """
    running = running_url()
    if running is not None:
        with httpx.Client(timeout=60) as client:
            yield _require_unpaused(Airflow(running, client, _home() / _PASSWORDS))
        return
    began = datetime.now(UTC)
    with _started_airflow() as url, httpx.Client(timeout=60) as client:
        service = Airflow(url, client, _home() / _PASSWORDS)
        paused = _wait_for_dag(service, began)
        service.pause(False)
        try:
            yield service
        finally:
            service.pause(paused)


def _home() -> Path:
    return Path(airflow_environment()["AIRFLOW_HOME"])


def _places() -> dict[str, str]:
    return {
        "RECSYS_LANDING": str(landing_zone()),
        "RECSYS_LAKE": str(lake_root()),
        "RECSYS_VAR": str(var_dir()),
        "RECSYS_CONFIG": os.environ.get("RECSYS_CONFIG") or "default",
        "MLFLOW_TRACKING_URI": tracking_uri(),
    }


def passwords_file() -> Path:
    """Where the password of `admin` stands."""
    return _home() / _PASSWORDS


def running_url() -> str | None:
    """The address of the Airflow that serves this home; None where none does."""
    try:
        serving = json.loads((_home() / _STAMP).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    url = f"http://127.0.0.1:{serving['port']}"
    if not Path(f"/proc/{serving['pid']}").exists() or not _healthy(url):
        return None
    for name, place in _places().items():
        if serving["places"][name] != place:
            raise UsageError(
                f"the Airflow at {url} (process {serving['pid']}) runs with {name}={serving['places'][name]}, "
                f"this call means {place}: stop it first, or set RECSYS_VAR to a home of its own"
            )
    return url


def _healthy(url: str) -> bool:
    """Return whether the API server answers, and its scheduler and DAG processor are healthy."""
    try:
        health = httpx.get(f"{url}/api/v2/monitor/health", timeout=10).json()
        components = (health.get(name) or {} for name in ("scheduler", "dag_processor"))
        return all(component.get("status") == "healthy" for component in components)
    except (httpx.HTTPError, ValueError):
        return False


def _require_unpaused(service: Airflow) -> Airflow:
    if service.get(f"dags/{DAG}")["is_paused"]:
        raise UsageError(
            f"the DAG {DAG} is paused in the Airflow at {service.url}: unpause it there (its live nights start, too), "
            "or stop that Airflow and call this again"
        )
    return service


@contextmanager
def _started_airflow() -> Iterator[str]:
    """`airflow standalone` in a session of its own, on a free port; ended with all its children."""
    environment = airflow_environment()
    prepare_airflow(environment)
    port = _free_port()
    environment |= login_environment(_home() / _PASSWORDS, port)
    environment["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] = "false"  # the backfill's runs alone, no live nights
    log = var_dir() / "logs" / "airflow.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f"starting Airflow (log: {log})", flush=True)
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            ["airflow", "standalone"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(process, url, log)
        write_stamp(process.pid, port)
        print(f"Airflow    {url}   user admin, password in {_home() / 'passwords.json'}", flush=True)
        yield url
    finally:
        (_home() / _STAMP).unlink(missing_ok=True)
        terminate_session(process)
        stop_warm_workers(environment)


def stop_warm_workers(environment: dict[str, str]) -> None:
    """End the processes that jobs were forked from (plugins/warm_worker.py), as far as none runs."""
    subprocess.run([sys.executable, "-m", "plugins.warm_job", "--stop"], env=environment, cwd=ROOT, check=False)


def _wait_until_healthy(process: subprocess.Popen[Any], url: str, log: Path) -> None:
    until = time.monotonic() + START
    while not _healthy(url):
        if process.poll() is not None:
            raise JobError(f"airflow standalone ended with exit status {process.returncode}: see {log}")
        if time.monotonic() > until:
            raise JobError(f"Airflow was not up within {START} s: see {log}")
        time.sleep(1)


def terminate_session(process: subprocess.Popen[Any]) -> None:
    """End a process with its session: a scheduler ends its tasks, and these their jobs."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
        except ProcessLookupError:
            return
        until = time.monotonic() + GRACE
        while time.monotonic() < until:
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.2)


def _wait_for_dag(service: Airflow, since: datetime) -> bool:
    """Wait until the DAG was read anew; return whether it is paused. JobError, with the reason, where it is not."""
    until = time.monotonic() + START
    while time.monotonic() < until:
        for error in service.get("importErrors")["import_errors"]:
            if parse_time(error["timestamp"]) > since:
                raise JobError(f"{error['filename']} does not import: {error['stack_trace'].strip()}")
        for dag in service.get("dags", dag_id_pattern=DAG)["dags"]:
            if dag["dag_id"] == DAG and parse_time(dag["last_parsed_time"]) > since:
                return bool(dag["is_paused"])
        time.sleep(1)
    raise JobError(f"Airflow at {service.url} did not read the DAG {DAG} within {START} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
