"""One bounded download: time-outs, deadline, retries, redirects hop by hop, a limit on bytes."""

from __future__ import annotations

import time
from types import TracebackType

import httpcore

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.images.address import Target, parse
from recsys_jobs.images.breaker import Breaker
from recsys_jobs.images.outcome import CORRUPT, MISSING, TOO_LARGE, UNREACHABLE, NoImage
from recsys_jobs.images.pinned_dns import PinnedBackend, Resolve, resolve

BACKOFF = 0.5  # seconds before the first retry; each further one waits twice as long
MAX_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
RETRYABLE_STATUSES = {408, 425, 429}  # a client error by number, a busy server by meaning
NETWORK_ERRORS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
HEADERS = {"User-Agent": "recsys-nightly", "Accept": "image/*", "Accept-Encoding": "identity"}


class Fetcher:
    """Downloads for many threads: one connection pool, one circuit breaker.

    It follows no proxy from the environment: a proxy would resolve names behind the check.
    """

    def __init__(self, settings: Settings, resolve: Resolve = resolve) -> None:
        self._settings = settings
        self._breaker = Breaker(settings.image_host_failures)
        self._backend = PinnedBackend(settings.image_allowed_hosts, settings.image_workers, resolve)
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpcore.default_ssl_context(),
            max_connections=settings.image_workers,
            keepalive_expiry=30.0,
            network_backend=self._backend,
        )

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.close()
        self._backend.close()

    def fetch(self, url: str) -> bytes:
        """Return the bytes at `url`; NoImage says why there are none."""
        target = parse(url, self._settings.image_allowed_hosts)
        with self._backend.deadline.within(self._settings.image_deadline):
            for _ in range(MAX_REDIRECTS + 1):
                answer = self._get_with_retries(target)
                if isinstance(answer, bytes):
                    return answer
                target = answer
        raise NoImage(MISSING, f"more than {MAX_REDIRECTS} redirects")

    def _get_with_retries(self, target: Target) -> bytes | Target:
        """One hop, with retries while the server cannot be reached; the breaker counts the hop once."""
        pause = BACKOFF
        for retries_left in range(self._settings.image_retries, -1, -1):
            self._breaker.check(target.server)
            try:
                answer = self._get(target)
            except NoImage as no_image:
                reason = no_image
            except NETWORK_ERRORS as error:
                reason = NoImage(UNREACHABLE, self._describe(error))
            else:
                self._breaker.record_success(target.server)
                return answer
            if reason.state != UNREACHABLE:
                self._breaker.record_success(target.server)
                raise reason
            if not retries_left or not self._wait(pause):
                break
            pause *= 2
        self._breaker.record_failure(target.server)
        raise reason

    def _describe(self, error: Exception) -> str:
        if self._backend.deadline.passed:
            return f"not done within {self._settings.image_deadline:g} seconds"
        return f"{type(error).__name__}: {error}"

    def _wait(self, seconds: float) -> bool:
        """Sleep, unless the deadline would pass meanwhile."""
        if self._backend.deadline.ends - time.monotonic() <= seconds:
            return False
        time.sleep(seconds)
        return True

    def _get(self, target: Target) -> bytes | Target:
        """One request: the body, or where the server sends us."""
        wait = self._settings.image_timeout
        extensions = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), wait)}
        headers = [("Host", target.url.netloc.decode("ascii")), *HEADERS.items()]
        with self._pool.stream("GET", _core_url(target), headers=headers, extensions=extensions) as response:
            location = _header(response, b"location")
            if response.status in REDIRECTS and location:
                return parse(location, self._settings.image_allowed_hosts, base=target)
            if response.status != 200:
                is_temporary = response.status >= 500 or response.status in RETRYABLE_STATUSES
                raise NoImage(UNREACHABLE if is_temporary else MISSING, f"HTTP {response.status}")
            return self._body(response)

    def _body(self, response: httpcore.Response) -> bytes:
        """The body as sent, never more than the limit in memory, whatever Content-Length says."""
        if _header(response, b"content-encoding") not in ("", "identity"):
            raise NoImage(CORRUPT, "a compressed answer that was not asked for")
        limit = self._settings.image_max_bytes
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > limit:
                raise NoImage(TOO_LARGE, f"more than {limit} bytes")
        return bytes(body)


def _core_url(target: Target) -> httpcore.URL:
    url = target.url
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _header(response: httpcore.Response, name: bytes) -> str:
    """A header's first value, or the empty string."""
    values = (value for key, value in response.headers if key.lower() == name)
    return next(values, b"").decode("latin-1").strip()
