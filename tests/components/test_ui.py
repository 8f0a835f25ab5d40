"""`recsys ui`: the three servers really answer, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def ports() -> list[int]:
    """Three free ports."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    found = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return found


@pytest.fixture
def started(tmp_path: Path, ports: list[int]) -> Iterator[subprocess.Popen]:
    """The command under way, its places in a folder of its own."""
    command = [sys.executable, "-m", "recsys_jobs.commands.cli", "ui"]
    command += [f"--{name}-port={port}" for name, port in zip(("airflow", "mlflow", "docs"), ports, strict=True)]
    environment = os.environ | {"RECSYS_VAR": str(tmp_path), "RECSYS_LAKE": str(tmp_path / "lake")}
    environment.pop("MLFLOW_TRACKING_URI", None)
    with (tmp_path / "ui.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        yield process
        process.kill()
        process.wait()


def _answers(url: str, process: subprocess.Popen) -> int:
    """The status that `url` answers with once something listens there."""
    for _ in range(240):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert process.poll() is None
            time.sleep(0.5)
    raise AssertionError(f"nothing answers at {url}")


def _started_under(folder: Path) -> list[str]:
    """The command lines of the live processes that have `folder` in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (place / "environ").read_bytes() and int(place.name) != os.getpid():
                found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if line]


@pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")
def test_three_servers_answer_and_sigterm_ends_every_process_of_theirs(
    started: subprocess.Popen, ports: list[int], tmp_path: Path
) -> None:
    airflow, mlflow, docs = (f"http://127.0.0.1:{port}" for port in ports)
    assert _answers(f"{docs}/", started) == 200
    assert _answers(f"{mlflow}/health", started) == 200
    assert _answers(f"{airflow}/api/v2/monitor/health", started) == 200
    assert len(_started_under(tmp_path)) > 3
    started.send_signal(signal.SIGTERM)
    assert started.wait(60) == 0
    assert _started_under(tmp_path) == []
    assert "stopping" in (tmp_path / "ui.log").read_text()


def test_a_taken_port_is_said_with_the_option_that_moves_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = subprocess.run(
            [sys.executable, "-m", "recsys_jobs.commands.cli", "ui", f"--mlflow-port={port}"],
            env=os.environ | {"RECSYS_VAR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert run.returncode == 1
    assert f"port {port} is taken" in run.stderr
    assert "--mlflow-port" in run.stderr
