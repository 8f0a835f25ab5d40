"""Serves Airflow, MLflow and the data docs on localhost until Ctrl-C or SIGTERM."""

from __future__ import annotations

import functools
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import tracking_uri, var_dir
from recsys_jobs.operations.airflow import local_airflow
from recsys_jobs.operations.airflow.night_runner import airflow_environment, prepare_airflow

_EXPERIMENTS = "#/experiments?workflowType=machine_learning"  # without it MLflow opens on agents and prompts


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
    environment |= local_airflow.login_environment(passwords, ports.airflow)
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # nobody gives it jobs, and their workers hold memory
    environment.setdefault("RECSYS_MLFLOW_URL", f"http://127.0.0.1:{ports.mlflow}")  # where the pages lead
    environment.setdefault("RECSYS_DATA_DOCS_URL", f"http://127.0.0.1:{ports.docs}")
    _require_free_ports(ports)
    prepare_airflow(environment)
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background job starts with it ignored
        signal.signal(number, signal.default_int_handler)
    threading.Thread(target=_docs_server(ports.docs).serve_forever, daemon=True).start()
    processes = [subprocess.Popen(command, env=environment, start_new_session=True) for command in _commands(ports)]
    local_airflow.write_stamp(processes[0].pid, ports.airflow)  # so that a backfill finds it
    try:
        _print_addresses(passwords, ports)
        ended, _ = os.wait()
        raise JobError(f"a server ended by itself (process {ended}): its last lines above say why")
    except KeyboardInterrupt:
        print("stopping", flush=True)
    finally:
        for process in processes:
            local_airflow.terminate_session(process)
        local_airflow.stop_warm_workers(dict(os.environ))


def _require_free_ports(ports: Ports) -> None:
    for name, port in ports._asdict().items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just left is free
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise JobError(
                    f"port {port} is taken ({error.strerror}): recsys ui --{name}-port takes another"
                ) from None


def _commands(ports: Ports) -> list[list[str]]:
    local = ["--host", "127.0.0.1", "--port", str(ports.mlflow), "--workers", "1"]  # one person looks
    artifacts = ["--default-artifact-root", (var_dir() / "mlflow" / "artifacts").as_uri()]
    mlflow = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri(), *artifacts, *local]
    return [["airflow", "standalone"], mlflow]


def _docs_server(port: int) -> http.server.ThreadingHTTPServer:
    docs = var_dir() / "data_docs"
    docs.mkdir(parents=True, exist_ok=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(docs))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


def _print_addresses(passwords: Path, ports: Ports) -> None:
    print(f"look here  http://127.0.0.1:{ports.airflow}/recommendations/   nights, people, items, and why")
    print(f"log in     user admin, password in {passwords}")
    print(f"Airflow    http://127.0.0.1:{ports.airflow}")
    print(f"MLflow     http://127.0.0.1:{ports.mlflow}/{_EXPERIMENTS}")
    print(f"data docs  http://127.0.0.1:{ports.docs}", flush=True)
