"""Serves Airflow, MLflow and the data docs on localhost until Ctrl-C or SIGTERM."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from recsys_jobs.errors import JobError
from recsys_jobs.night import airflow_environment, prepare_airflow
from recsys_jobs.settings import tracking_uri, var_dir

_GRACE = 10  # seconds between SIGTERM and SIGKILL


class Ports(NamedTuple):
    """Where on localhost each of the three listens."""

    airflow: int
    mlflow: int
    docs: int


def serve(ports: Ports) -> None:
    """Start the three servers, print how to reach them, and stop them together on SIGINT or SIGTERM.

    Raises JobError where a port is taken, or when a server ends by itself.
    """
    environment = airflow_environment()
    passwords = Path(environment["AIRFLOW_HOME"]) / "passwords.json"
    environment |= _airflow_login(passwords, ports)
    _need_free(ports)
    prepare_airflow(environment)
    for each in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background job starts with it ignored
        signal.signal(each, signal.default_int_handler)
    threading.Thread(target=_docs_server(ports.docs).serve_forever, daemon=True).start()
    processes = [subprocess.Popen(each, env=environment, start_new_session=True) for each in _commands(ports)]
    try:
        _print_addresses(passwords, ports)
        first = os.wait()[0]
        raise JobError(f"a server ended by itself (process {first}): its last lines above say why")
    except KeyboardInterrupt:
        print("stopping", flush=True)
    finally:
        _stop(processes)


def _need_free(ports: Ports) -> None:
    for name, port in ports._asdict().items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left is free
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise JobError(
                    f"port {port} is taken ({error.strerror}): recsys ui --{name}-port takes another"
                ) from None


def _stop(processes: list[subprocess.Popen]) -> None:
    """End each server with all that it started: Airflow and MLflow are half a dozen processes each."""
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        _signal_group(process, signal.SIGKILL)


def _signal_group(process: subprocess.Popen, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _airflow_login(passwords: Path, ports: Ports) -> dict[str, str]:
    """A user `admin` with a random password, made once and readable by its owner alone."""
    if not passwords.exists():
        passwords.parent.mkdir(parents=True, exist_ok=True)
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}), encoding="utf-8")
    return {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(ports.airflow),
    }


def _commands(ports: Ports) -> list[list[str]]:
    local = ["--host", "127.0.0.1", "--port", str(ports.mlflow)]
    artifacts = ["--default-artifact-root", (var_dir() / "mlflow" / "artifacts").as_uri()]
    mlflow = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri(), *artifacts, *local]
    return [["airflow", "standalone"], mlflow]


def _docs_server(port: int) -> http.server.ThreadingHTTPServer:
    docs = var_dir() / "data_docs"
    docs.mkdir(parents=True, exist_ok=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(docs))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


def _print_addresses(passwords: Path, ports: Ports) -> None:
    print(f"Airflow    http://127.0.0.1:{ports.airflow}   user admin, password in {passwords}")
    print(f"MLflow     http://127.0.0.1:{ports.mlflow}")
    print(f"data docs  http://127.0.0.1:{ports.docs}", flush=True)
