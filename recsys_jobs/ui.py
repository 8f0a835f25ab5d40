"""Serves Airflow, MLflow and the data docs on localhost until Ctrl-C."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

from recsys_jobs import local_airflow
from recsys_jobs.errors import JobError
from recsys_jobs.night import airflow_environment, prepare_airflow
from recsys_jobs.settings import tracking_uri, var_dir

AIRFLOW_PORT, MLFLOW_PORT, DOCS_PORT = 8080, 5000, 8081


def serve() -> None:
    """Start the three servers, print how to reach them, and stop them together."""
    environment = airflow_environment()
    passwords = Path(environment["AIRFLOW_HOME"]) / "passwords.json"
    environment |= local_airflow.login(passwords, AIRFLOW_PORT)
    prepare_airflow(environment)
    _print_addresses(passwords)
    threading.Thread(target=_docs_server().serve_forever, daemon=True).start()
    processes = [subprocess.Popen(command, env=environment) for command in _commands()]
    local_airflow.stamp(processes[0].pid, AIRFLOW_PORT)  # so that a backfill finds it
    try:
        first = os.wait()[0]
        raise JobError(f"a server ended by itself (process {first}): its last lines above say why")
    except KeyboardInterrupt:
        print("stopping", flush=True)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _commands() -> list[list[str]]:
    local = ["--host", "127.0.0.1", "--port", str(MLFLOW_PORT)]
    artifacts = ["--default-artifact-root", (var_dir() / "mlflow" / "artifacts").as_uri()]
    mlflow = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri(), *artifacts, *local]
    return [["airflow", "standalone"], mlflow]


def _docs_server() -> http.server.ThreadingHTTPServer:
    docs = var_dir() / "data_docs"
    docs.mkdir(parents=True, exist_ok=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(docs))
    return http.server.ThreadingHTTPServer(("127.0.0.1", DOCS_PORT), handler)


def _print_addresses(passwords: Path) -> None:
    print(f"Airflow    http://127.0.0.1:{AIRFLOW_PORT}   user admin, password in {passwords}")
    print(f"MLflow     http://127.0.0.1:{MLFLOW_PORT}")
    print(f"data docs  http://127.0.0.1:{DOCS_PORT}", flush=True)
