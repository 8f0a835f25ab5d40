"""Who may work on the lake at once: steps of nights share it, a job that removes files has it to itself.

Delta lets readers and writers of one table meet safely. A job that removes rows, file versions or vectors that a
step may be about to read (`maintenance`, `forget`) needs more: it waits until no step runs, and steps
wait until it is done. The lock is this machine's (flock on a file beside the tables), goes away with its
process, and is no substitute for the check on running DAG runs where tasks run on several machines.
"""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from recsys_jobs.contracts.errors import JobError, run_main
from recsys_jobs.contracts.settings import lake_root

FILE = ".steps.lock"
_RETRY_SECONDS = 0.5  # seconds between two tries
log = logging.getLogger(__name__)


@contextmanager
def step() -> Iterator[None]:
    """Share the lake with other steps of nights, never with a job that removes files."""
    with _open_lock_file() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting: maintenance or an erasure has the lake")
            fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def exclusive(task: str, wait: float = 0.0) -> Iterator[None]:
    """Hold the lake exclusively, at most `wait` seconds from now; JobError where a step still runs then."""
    deadline = time.monotonic() + wait
    with _open_lock_file() as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise JobError(f"{task} must wait: a step of a night is at work on {lake_root()}") from None
                time.sleep(_RETRY_SECONDS)
        yield


def run_step(main: Callable[[], None]) -> None:
    """`run_main` for a step of a night."""

    def locked_main() -> None:
        with step():
            main()

    run_main(locked_main)


def _open_lock_file() -> IO[str]:
    path = lake_root() / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w", encoding="utf-8")
