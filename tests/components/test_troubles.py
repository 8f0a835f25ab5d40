"""A disk that fills and an MLflow server that is away: a retry or one clear line, and the next run recovers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from recsys_jobs.contracts.night_steps import STEPS
from recsys_jobs.contracts.settings import ROOT
from tests.components.shop_nights import JOBS, NIGHTS, open_shop, places, run_job, run_night, slates
from tests.processes import run_module

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FIRST, SECOND = NIGHTS[:2]


def job(task: str, **more: str) -> subprocess.CompletedProcess[str]:
    return run_module(*STEPS[task].command(str(SECOND)), environment=more)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of its own needs the right to mount one")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave not a page free."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    return ballast


def test_a_full_disk_is_one_clear_line_and_the_next_run_recovers(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in places(small_disk).items():
        monkeypatch.setenv(name, value)
    open_shop(small_disk)
    run_night(FIRST)
    before = slates(FIRST)
    for task in JOBS[:-2]:
        run_job(task, SECOND)
    for task in JOBS[-2:]:
        ballast = fill(small_disk)
        done = job(task)
        ballast.unlink()
        assert done.returncode == 1, done.stderr
        assert done.stderr.strip().splitlines()[-1].startswith("error: no space left on the device: free some")
        assert slates(FIRST).equals(before)
        run_job(task, SECOND)
    assert slates(SECOND).num_rows == before.num_rows


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def away(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """A shop whose MLflow server is not up."""
    for name, value in places(tmp_path).items():
        monkeypatch.setenv(name, value)
    open_shop(tmp_path, NIGHTS[:2])
    return f"http://127.0.0.1:{port}"


def test_a_server_that_stays_away_is_one_clear_line(away: str) -> None:
    done = job("train.recipe", MLFLOW_TRACKING_URI=away, MLFLOW_HTTP_REQUEST_MAX_RETRIES="1")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(f"error: the MLflow server {away} does not answer")


def test_a_server_that_comes_back_is_waited_for(away: str, port: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "recsys_jobs.night.train", "--run-date", str(SECOND)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": away}
    waiting = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    store = f"sqlite:///{tmp_path}/server.db"
    serve = ["server", "--backend-store-uri", store, "--artifacts-destination", str(tmp_path / "kept")]
    time.sleep(8)
    assert waiting.poll() is None, "it did not wait"
    local = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *serve, *local], stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _, said = waiting.communicate(timeout=300)
    finally:
        os.killpg(server.pid, 15)
        server.wait(60)
    assert waiting.returncode == 0, said
    assert "2 epochs" in said
