"""Who may work on the lake at once: the steps of nights together, whoever removes files alone.

Delta lets readers and writers of one table meet safely. What removes rows, file versions or vectors that a
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
_EVERY = 0.5  # seconds between two tries
log = logging.getLogger(__name__)


@contextmanager
def step() -> Iterator[None]:
    """Hold the lake as a step of a night does: beside others, never beside what removes."""
    with _open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting: maintenance or an erasure has the lake")
            fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def alone(what: str, wait: float = 0.0) -> Iterator[None]:
    """Hold the lake alone, at most `wait` seconds from now; JobError where a step still runs then."""
    ends = time.monotonic() + wait
    with _open() as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= ends:
                    raise JobError(f"{what} must wait: a step of a night is at work on {lake_root()}") from None
                time.sleep(_EVERY)
        yield


def run_step(main: Callable[[], None]) -> None:
    """`run_main` for a step of a night."""

    def held() -> None:
        with step():
            main()

    run_main(held)


def _open() -> IO[str]:
    place = lake_root() / FILE
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.open("w", encoding="utf-8")
