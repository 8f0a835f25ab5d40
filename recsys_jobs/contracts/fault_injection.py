"""Where a process can be made to die, so that tests and `make prove` can show that the next run recovers.

`RECSYS_KILL_AT` names the point. A commit to a table has three: `<table>:before`, `<table>:files` (its data
files are written, the log entry is not) and `<table>:after` (committed, nobody told). Nothing else is done.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_GRACE = 1.0  # seconds from a first new data file to the end, for the others to be written too


def point(name: str) -> None:
    """End this process with SIGKILL where `RECSYS_KILL_AT` names this point."""
    if os.environ.get("RECSYS_KILL_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)


def commit_points(*tables: str) -> tuple[str, ...]:
    """The three points of each table's commit."""
    return tuple(f"{table}:{where}" for table in tables for where in ("before", "files", "after"))


@contextmanager
def commit(table: str, folder: Path) -> Iterator[None]:
    """A commit to the table in `folder`, with a point before it, in the middle of it and after it."""
    point(f"{table}:before")
    if os.environ.get("RECSYS_KILL_AT") == f"{table}:files":
        yield from _cut_off(f"{table}:files", folder)
    else:
        yield
    point(f"{table}:after")


def _cut_off(name: str, folder: Path) -> Iterator[None]:
    """Let data files be written and no commit: a folder stands where the log entry would go."""
    log, before = folder / "_delta_log", _data_files(folder)
    log.mkdir(parents=True, exist_ok=True)
    versions = [int(entry.stem) for entry in log.glob("[0-9]*.json")]
    entry = log / f"{max(versions, default=-1) + 1:020d}.json"
    entry.mkdir()
    threading.Thread(target=_die_once_written, args=(name, folder, before, entry), daemon=True).start()
    try:
        yield
    finally:
        _clear(entry)
        point(name)


def _die_once_written(name: str, folder: Path, before: int, entry: Path) -> None:
    while _data_files(folder) == before:
        time.sleep(0.01)
    time.sleep(_GRACE)
    _clear(entry)
    point(name)


def _clear(entry: Path) -> None:
    with suppress(FileNotFoundError):
        entry.rmdir()


def _data_files(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*.parquet"))
