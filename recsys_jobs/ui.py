"""Serves Airflow, MLflow and the data docs on localhost until Ctrl-C."""

from __future__ import annotations

import functools
import http.server
import json
import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path

from recsys_jobs.errors import JobError
from recsys_jobs.night import airflow_environment, prepare_airflow
from recsys_jobs.settings import tracking_uri, var_dir

AIRFLOW_PORT, MLFLOW_PORT, DOCS_PORT = 8080, 5000, 8081


def serve() -> None:
    """Start the three servers, print how to reach them, and stop them together."""
    environment = airflow_environment()
    passwords = Path(environment["AIRFLOW_HOME"]) / "passwords.json"
    environment |= _airflow_login(passwords)
    prepare_airflow(environment)
    _print_addresses(passwords)
    threading.Thread(target=_docs_server().serve_forever, daemon=True).start()
    processes = [subprocess.Popen(command, env=environment) for command in _commands()]
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


def _airflow_login(passwords: Path) -> dict[str, str]:
    """A user `admin` with a random password, made once and readable by its owner alone."""
    if not passwords.exists():
        passwords.parent.mkdir(parents=True, exist_ok=True)
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}), encoding="utf-8")
    return {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(AIRFLOW_PORT),
    }


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
