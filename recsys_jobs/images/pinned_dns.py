"""The network below HTTP: each name is resolved once, checked, and the checked address is used.

Checking a name and then letting a library resolve it again would let a name server answer twice
(DNS rebinding). TLS still verifies the certificate against the name, which stays in the URL.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpcore

from recsys_jobs.images.address import is_named, is_public
from recsys_jobs.images.outcome import BLOCKED, NoImage

Resolve = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the order to try; ConnectError where there are none."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # a label of 64 letters is a UnicodeError
        raise httpcore.ConnectError(f"no address for {host}: {error}") from None
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def require_public(host: str, port: int, addresses: list[str], allowed: tuple[str, ...]) -> list[str]:
    """The addresses, if all are public or the host is named; NoImage (blocked) otherwise.

    One bad address among good ones refuses the host: a name that points both ways is a trick.
    """
    if not is_named(host, port, allowed):
        for address in addresses:
            if not is_public(ipaddress.ip_address(address)):
                raise NoImage(BLOCKED, f"{host} is at {address}, which is not a public address")
    return addresses


class Deadline(threading.local):
    """The moment by which this thread's image must be done: no wait on the network goes beyond it."""

    ends = math.inf

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give the block so many seconds."""
        self.ends = time.monotonic() + seconds
        try:
            yield
        finally:
            self.ends = math.inf

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self.ends

    def remaining(self, timeout: float | None = None) -> float:
        """Seconds to wait at most; ReadTimeout where none are left."""
        left = min(math.inf if timeout is None else timeout, self.ends - time.monotonic())
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline for one image passed")
        return left


class _Stream(httpcore.NetworkStream):
    """A stream whose every wait ends with the deadline, so that a server that drips cannot hold it."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.remaining(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secure = self._inner.start_tls(ssl_context, server_hostname, self._deadline.remaining(timeout))
        return _Stream(secure, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to checked addresses only. Every connection passes here, those of redirects too."""

    def __init__(self, allowed: tuple[str, ...], lookups: int, resolve: Resolve = resolve) -> None:
        self.deadline = Deadline()
        self._allowed = allowed
        self._resolve = resolve
        self._inner = httpcore.SyncBackend()
        self._lookups = ThreadPoolExecutor(lookups, "resolve")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        last_error: httpcore.NetworkError | httpcore.TimeoutException | None = None
        for address in require_public(host, port, self._addresses(host, port, timeout), self._allowed):
            try:
                stream = self._inner.connect_tcp(
                    address, port, self.deadline.remaining(timeout), local_address, socket_options
                )
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                last_error = error
            else:
                return _Stream(stream, self.deadline)
        raise last_error or httpcore.ConnectError(f"no address for {host}")

    def close(self) -> None:
        """End the threads that resolve names; one that still waits is not waited for."""
        self._lookups.shutdown(wait=False, cancel_futures=True)

    def _addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        """Resolve in another thread, because the system's resolver knows no time-out."""
        answer: Future[list[str]] = self._lookups.submit(self._resolve, host, port)
        try:
            return answer.result(self.deadline.remaining(timeout))
        except TimeoutError:
            answer.cancel()
            raise httpcore.ConnectTimeout(f"no answer about the address of {host}") from None
