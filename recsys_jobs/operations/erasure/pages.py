"""Pages and logs that name a person: the id gives way to a word. Reports, the gates' docs, logs of nights."""

from __future__ import annotations

import os
from pathlib import Path

from recsys_jobs.contracts.settings import var_dir
from recsys_jobs.operations.erasure.mention import id_pattern, mentions

WORD = b"(forgotten)"


def erase_from_pages(user: str) -> list[Path]:
    """Replace the id in every page and log; return the files that named it."""
    pages = [path for folder in _folders() for path in _files(folder) if mentions(path, user)]
    for path in pages:
        partial = path.with_name(path.name + ".part")
        partial.write_bytes(id_pattern(user).sub(WORD, path.read_bytes()))
        partial.replace(path)
    return pages


def _folders() -> list[Path]:
    airflow = Path(os.environ.get("AIRFLOW_HOME") or var_dir() / "airflow")
    return [var_dir() / "data_docs", var_dir() / "reports", var_dir() / "logs", airflow / "logs"]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
