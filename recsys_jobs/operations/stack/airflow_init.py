"""Airflow's first start in the stack: its database, the login of `admin`, and the pool that guards the lake.

Safe to run at every start. The login is the file that the simple auth manager reads; Airflow itself is only called.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from recsys_jobs.contracts.errors import JobError, UsageError, run_main


def write_login(path: Path, password: str) -> None:
    """The login file with `admin` alone, readable by its owner; UsageError for a password shorter than 16."""
    if len(password) < 16:
        raise UsageError("AIRFLOW_ADMIN_PASSWORD is too short: run `make up`, which makes it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(json.dumps({"admin": password}), encoding="utf-8")


def main() -> None:
    """Migrate the database, write the login, make the pool."""
    write_login(
        Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]),
        os.environ.get("AIRFLOW_ADMIN_PASSWORD", ""),
    )
    pool = os.environ["RECSYS_LAKE_POOL"]
    _airflow("db", "migrate")
    _airflow("pools", "set", pool, "1", "one Spark writer at a time")


def _airflow(*arguments: str) -> None:
    if status := subprocess.run(["airflow", *arguments], check=False).returncode:
        raise JobError(f"airflow {' '.join(arguments)} ended with exit status {status}: its last lines above say why")


if __name__ == "__main__":
    run_main(main)
