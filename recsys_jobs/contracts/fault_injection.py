"""Where a process can be made to die, so that tests and `make prove` can show that the next run recovers.

`RECSYS_KILL_AT` names the point. A commit to a table has three: `<table>:before`, `<table>:files` (its data
files are written, the log entry is not) and `<table>:after` (committed, the caller not yet resumed). It does no more.
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


def kill_point(name: str) -> None:
    """End this process with SIGKILL where `RECSYS_KILL_AT` names this point."""
    if os.environ.get("RECSYS_KILL_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)


def commit_points(*tables: str) -> tuple[str, ...]:
    """The three points of each table's commit."""
    return tuple(f"{table}:{where}" for table in tables for where in ("before", "files", "after"))


@contextmanager
def commit(table: str, folder: Path) -> Iterator[None]:
    """A commit to the table in `folder`, with a point before it, in the middle of it and after it."""
    kill_point(f"{table}:before")
    if os.environ.get("RECSYS_KILL_AT") == f"{table}:files":
        yield from _kill_between_files_and_log(f"{table}:files", folder)
    else:
        yield
    kill_point(f"{table}:after")


def _kill_between_files_and_log(name: str, folder: Path) -> Iterator[None]:
    """Let data files be written and no commit: a folder stands where the log entry would go."""
    log, files_before = folder / "_delta_log", _count_data_files(folder)
    log.mkdir(parents=True, exist_ok=True)
    versions = [int(log_entry.stem) for log_entry in log.glob("[0-9]*.json")]
    obstacle = log / f"{max(versions, default=-1) + 1:020d}.json"
    obstacle.mkdir()
    threading.Thread(target=_kill_once_written, args=(name, folder, files_before, obstacle), daemon=True).start()
    try:
        yield
    finally:
        _remove_obstacle(obstacle)
        kill_point(name)


def _kill_once_written(name: str, folder: Path, files_before: int, obstacle: Path) -> None:
    while _count_data_files(folder) == files_before:
        time.sleep(0.01)
    time.sleep(_GRACE)
    _remove_obstacle(obstacle)
    kill_point(name)


def _remove_obstacle(obstacle: Path) -> None:
    with suppress(FileNotFoundError):
        obstacle.rmdir()


def _count_data_files(folder: Path) -> int:
    return sum(1 for _ in folder.rglob("*.parquet"))
