"""Explains in one line, from an exception, what the machine around a job lacks. Standard library only.

A full disk comes as another exception from every library that writes (OSError, delta-rs, DuckDB, SQLite, Java through
py4j), a server that is away from several layers of HTTP: what they have in common is the sentence within.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

_FULL = re.compile(r"No space left on device|database or disk is full|Disk quota exceeded", re.IGNORECASE)
_AWAY = re.compile(r"Max retries exceeded with url: \S*/mlflow|API request to \S* failed with exception", re.IGNORECASE)


def explain(error: BaseException) -> str | None:
    """Return one line that says what is lacking and what to do; None for an exception with another cause."""
    messages = [str(link) for link in _chain(error)]
    if any(_FULL.search(text) for text in messages):
        return (
            "no space left on the device: free some (python -m recsys_jobs.operations.retention lets old files go) and "
            "run this again; what was published stands"
        )
    if any(_AWAY.search(text) for text in messages):
        server = os.environ.get("MLFLOW_TRACKING_URI", "")
        return f"the MLflow server {server} does not answer: start it and run this again; what was published stands"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
