"""Run a module as `__main__` in a fork of the warm worker: `python -m plugins.warm_job PARENT module arguments…`.

This process stands for the job: its output is the job's, it ends as the job ends, and a signal to it, or its death,
ends the job. Where no worker can be had it becomes the job itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType

from plugins.parent_death_signal import request_parent_death_signal

STOP, FORKED = b"stop", b"forked"
_START, _STOP = 5.0, 20.0  # seconds for a new worker to listen, and for one to end, which may be importing
# variables that differ from job to job, and that no library reads when it is imported
_OURS = re.compile("^_*AIRFLOW|^RECSYS_|^MLFLOW_TRACKING_URI$")


def main() -> None:
    """Ask for the job, wait for its end, and end alike."""
    if sys.argv[1] == "--stop":
        return stop_workers()
    parent, *argv = sys.argv[1:]
    request_parent_death_signal(int(parent))
    worker = _connect()
    answer = _ask(worker, argv) if worker else b""
    if worker is None or not answer:
        os.execv(sys.executable, [sys.executable, "-m", *argv])
    signal.signal(signal.SIGTERM, partial(_terminate, worker))
    return _end_alike(int((worker.recv(16) if answer == FORKED else answer) or -signal.SIGKILL))


def _terminate(worker: socket.socket, number: int, frame: FrameType | None) -> None:
    worker.send(b"terminate")


def _ask(worker: socket.socket, argv: list[str]) -> bytes:
    """Send the request; return the answer, nothing from a worker that was about to end."""
    request = {"argv": argv, "environment": dict(os.environ), "folder": str(Path.cwd())}
    try:
        socket.send_fds(worker, [json.dumps(request).encode()], [0, 1, 2])
        return worker.recv(16)
    except OSError:
        return b""


def stop_workers() -> None:
    """End this user's workers that run no job, and wait for that: what started them is done."""
    for path in _folder().glob("*.socket"):
        if worker := _try(path):
            with worker, suppress(OSError):  # one that ends meanwhile has ended
                worker.settimeout(_STOP)
                worker.send(STOP)
                worker.recv(16)


def _end_alike(status: int) -> None:
    if status >= 0:
        sys.exit(status)
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)


def _connect() -> socket.socket | None:
    """A connection to the worker of this environment, which is started if none listens."""
    folder = _folder()
    path = folder / f"{_identity()}.socket"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _try(path) or _start(path)


def _folder() -> Path:
    """This user's alone: who can write to the socket can run code."""
    folder = Path(tempfile.gettempdir()) / f"recsys-warm-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or folder.is_symlink():
        raise SystemExit(f"error: {folder} is not this user's alone: remove it, or set RECSYS_WARM=0")
    return folder


def _identity() -> str:
    """A worker is shared by jobs of one environment: libraries read variables when they are imported."""
    variables = sorted((name, value) for name, value in os.environ.items() if not _OURS.match(name))
    identity = json.dumps([sys.executable, str(Path.cwd()), variables])
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _try(path: Path) -> socket.socket | None:
    worker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        worker.connect(str(path))
    except OSError:
        worker.close()
        return None
    return worker


def _start(path: Path) -> socket.socket | None:
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "plugins.warm_worker", str(path)]
    nowhere = subprocess.DEVNULL
    subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline:
        if worker := _try(path):
            return worker
        time.sleep(0.02)
    return None


if __name__ == "__main__":
    main()
