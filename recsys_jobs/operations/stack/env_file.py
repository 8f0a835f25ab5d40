"""The stack's secrets: `.env`, made at the first `make up`, readable by its owner alone. Standard library only.

A later call keeps every value that is there and adds the names that are missing. No secret has a default.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from recsys_jobs.contracts.errors import UsageError, run_main
from recsys_jobs.contracts.settings import ROOT

_HEAD = (
    "# Secrets of docker-compose.yml, made by `make up`. Keep them: the volumes were made with them. Never commit them."
)


def _password() -> str:
    return secrets.token_urlsafe(32)  # 256 bits, of letters that need no quoting in URL, JSON, SQL and compose file


def _signing_key() -> str:
    return secrets.token_hex(32)  # the 64 bytes that HS512 wants


def _access_key() -> str:
    return secrets.token_hex(10)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


SECRETS: dict[str, Callable[[], str]] = {
    "POSTGRES_PASSWORD": _password,
    "AIRFLOW_DB_PASSWORD": _password,
    "MLFLOW_DB_PASSWORD": _password,
    "AIRFLOW_ADMIN_PASSWORD": _password,
    "AIRFLOW_API_SECRET_KEY": _password,
    "AIRFLOW_JWT_SECRET": _signing_key,
    "AIRFLOW_FERNET_KEY": _fernet_key,
    "SPARK_AUTH_SECRET": _password,
    "LAKE_ACCESS_KEY": _access_key,
    "LAKE_SECRET_KEY": _password,
    "MLFLOW_ACCESS_KEY": _access_key,
    "MLFLOW_SECRET_KEY": _password,
    "READER_ACCESS_KEY": _access_key,
    "READER_SECRET_KEY": _password,
}


def read(path: Path) -> dict[str, str]:
    """The values of a `.env` file; UsageError for a line that is neither blank, a comment nor NAME=value."""
    values = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise UsageError(f"{path}, line {number}: write NAME=value")
        values[name.strip()] = value.strip()
    return values


def ensure(path: Path) -> list[str]:
    """Make the file, or add what is missing to it; return the names that were added.

    Raises UsageError where a secret is there but empty: an empty password is no password.
    """
    values = read(path) if path.exists() else {}
    empty = [name for name in SECRETS if values.get(name) == ""]
    if empty:
        raise UsageError(f"{path}: {', '.join(empty)} has no value: delete the line, and it is made anew")
    missing = [name for name in SECRETS if name not in values]
    before = path.read_text(encoding="utf-8").rstrip("\n") if path.exists() else _HEAD
    lines = [before, *(f"{name}={SECRETS[name]()}" for name in missing)]
    _write(path, "\n".join(lines) + "\n")
    return missing


def _write(path: Path, text: str) -> None:
    """Replace the file in one step; no moment shows it to others, or half of it."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


def main() -> None:
    """Make or complete `.env`."""
    parser = argparse.ArgumentParser(prog="python -m recsys_jobs.operations.stack.env_file", description=__doc__)
    parser.add_argument(
        "path", type=Path, nargs="?", default=ROOT / ".env", help="default: .env beside the compose file"
    )
    path = parser.parse_args().path
    added = ensure(path)
    print(f"{path}: {len(added)} secrets made" if added else f"{path}: all {len(SECRETS)} secrets are there")


if __name__ == "__main__":
    run_main(main)
