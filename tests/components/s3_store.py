"""An S3 store of the tests' own: the SeaweedFS of docker-compose.yml, on free ports of this machine."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.conftest import ROOT

PIPELINE, READER = ("pipelinekey", "pipeline-secret"), ("readerkey", "reader-secret")


def program() -> str | None:
    """The program inside the wheel, or None."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run a store in `folder`; yield its address."""
    ports = _free_ports(8)
    identities = [
        _identity("pipeline", PIPELINE, ["Admin"]),
        _identity("reader", READER, ["Read:lake", "List:lake"]),
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}), encoding="utf-8")
    (folder / "data").mkdir()
    flags = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder / 'data'}", f"-s3.config={folder / 's3.json'}"]
    flags += [
        "-filer",
        "-s3",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=0",
    ]
    for number, part in enumerate(("master", "volume", "filer", "s3")):
        flags += [f"-{part}.port={ports[2 * number]}", f"-{part}.port.grpc={ports[2 * number + 1]}"]
    with (folder / "store.log").open("wb") as log:
        store = subprocess.Popen([program() or "weed", "server", *flags], cwd=ROOT, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{ports[6]}"
        _wait(f"{address}/healthz")
        yield address
    finally:
        store.terminate()
        store.wait()


def _identity(name: str, keys: tuple[str, str], actions: list[str]) -> dict[str, object]:
    return {"name": name, "actions": actions, "credentials": [{"accessKey": keys[0], "secretKey": keys[1]}]}


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def _wait(address: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"no store at {address}")
