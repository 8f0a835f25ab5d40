"""Addresses: of the pages themselves, and of what they lead to."""

from __future__ import annotations

import os
from urllib.parse import quote, urlencode

from plugins.no_running_nights import NIGHTS
from recsys_jobs.pages.text import reference

_MLFLOW, _DOCS = "http://127.0.0.1:5000", "http://127.0.0.1:8081"  # where `make ui` serves them
_IDS = ("id", "after")  # parameters that hold an id


def page(root: str, path: str, **values: object) -> str:
    """The address of a page under `root`; empty parameters are left out, a very long id goes by its hash."""
    texts = {name: str(value) for name, value in values.items() if value not in (None, "")}
    query = urlencode({name: reference(text) if name in _IDS else text for name, text in texts.items()})
    return f"{root}/{path}{f'?{query}' if query else ''}"


def airflow_run(root: str, run_id: str, task: str = "") -> str:
    """A run of the nightly DAG in Airflow, or one of its tasks with its log; `root` is the pages' own."""
    base = root.rsplit("/", 1)[0]
    task_path = f"/tasks/{quote(task, safe='')}" if task else ""
    return f"{base}/dags/{NIGHTS}/runs/{quote(run_id, safe='')}{task_path}"


def mlflow_run(experiment_id: object, run_id: object) -> str:
    """A run in MLflow; RECSYS_MLFLOW_URL is where people reach it, without that a tracking server's own address."""
    tracking = os.environ.get("MLFLOW_TRACKING_URI", "")
    base = os.environ.get("RECSYS_MLFLOW_URL") or (tracking if tracking.startswith("http") else _MLFLOW)
    path = f"experiments/{quote(str(experiment_id), safe='')}/runs/{quote(str(run_id), safe='')}"
    return f"{base.rstrip('/')}/#/{path}"


def data_docs() -> str:
    """The gates' pages; RECSYS_DATA_DOCS_URL is where people reach them."""
    return os.environ.get("RECSYS_DATA_DOCS_URL") or _DOCS
