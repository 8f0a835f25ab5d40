"""A real HTTP server on loopback with every kind of image host: good, slow, hostile, gone."""

from __future__ import annotations

import contextlib
import io
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


def jpeg(seed: int = 0, side: int = 100) -> bytes:
    """A picture of its own for each seed."""
    image = Image.new("RGB", (side, side), (seed * 37 % 256, seed * 91 % 256, seed * 53 % 256))
    image.paste("white", (10, 10, 20 + seed % 60, 40))
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


class Server(ThreadingHTTPServer):
    """Counts requests by path; `pages` maps a path to status, headers and body."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.requests: Counter[str] = Counter()
        self.hosts: set[str] = set()
        self.ended = threading.Event()

    @property
    def name(self) -> str:
        """Host and port, as the setting takes them."""
        return f"localhost:{self.server_address[1]}"

    def serve(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> str:
        """Put a page at `path`; return its URL."""
        self.pages[path] = (status, headers, body)
        return self.url(path)

    def redirect(self, path: str, location: str) -> str:
        """Put a redirect at `path`; return its URL."""
        return self.serve(path, status=302, Location=location)

    def url(self, path: str) -> str:
        """The URL of a path: `/hang` never answers, `/drip` sends a byte now and then, `/cut` hangs up."""
        return f"http://{self.name}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.requests[self.path] += 1
        self.server.hosts.add(self.headers["Host"])
        special = {"/hang": self._hang, "/drip": self._drip, "/cut": self._cut, "/flood": self._flood}
        if self.path in special:
            self.close_connection = True
            special[self.path]()
            return
        status, headers, body = self.server.pages.get(self.path, (404, {}, b"nothing here"))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _hang(self) -> None:
        self.server.ended.wait(20)

    def _cut(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

    def _drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        ends = time.monotonic() + 20
        while time.monotonic() < ends and not self.server.ended.wait(0.05):
            self.wfile.write(b"x")

    def _flood(self) -> None:
        """A body without an end and without a length."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not self.server.ended.is_set():
            self.wfile.write(b"x" * 65536)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    server = Server()
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
