"""A circuit breaker per server: one that does not answer is left alone for the rest of the run."""

from __future__ import annotations

import logging
import threading
from collections import Counter

from recsys_jobs.images.outcome import UNREACHABLE, NoImage

log = logging.getLogger(__name__)


class Breaker:
    """Counts failures in a row by server; opens at `failures` of them, and stays open."""

    def __init__(self, failures: int) -> None:
        self._max_failures = failures
        self._consecutive_failures: Counter[str] = Counter()
        self._open_servers: set[str] = set()
        self._lock = threading.Lock()

    def check(self, server: str) -> None:
        """Raise NoImage (unreachable) where the server is left alone."""
        if server in self._open_servers:
            raise NoImage(UNREACHABLE, f"host left alone after {self._max_failures} failures")

    def record_success(self, server: str) -> None:
        """The server answered, if only to say no: it is alive."""
        with self._lock:
            self._consecutive_failures[server] = 0

    def record_failure(self, server: str) -> None:
        """One more URL of this server could not be reached."""
        with self._lock:
            self._consecutive_failures[server] += 1
            opens = self._consecutive_failures[server] >= self._max_failures and server not in self._open_servers
            if opens:
                self._open_servers.add(server)
        if opens:
            log.warning("%s is left alone for the rest of this run: %d failures in a row", server, self._max_failures)
