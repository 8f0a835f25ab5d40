"""A process with the heavy libraries imported, which forks jobs: `python -m plugins.warm_worker SOCKET`.

Half of a small night is imports: torch, MLflow and Great Expectations take seconds each, a dozen steps anew. The worker
imports them once, one after the other while nobody asks, and never code of our own: a job reads that from its files.
A forked job has its own session, the output, arguments, environment and folder of whoever asked (plugins/warm_job.py),
and dies with them. The worker ends when it was idle for a while.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from plugins.parent_death_signal import request_parent_death_signal
from plugins.warm_job import FORKED, STOP

IDLE = 60.0  # seconds without a job, after which the worker ends
MESSAGE = 1 << 20  # bytes of a request at most
LIBRARIES = (
    *("pyarrow.dataset", "pyarrow.compute", "pyarrow.parquet", "deltalake", "duckdb", "pandas", "great_expectations"),
    *("mlflow", "mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"),
    *("torch", "scipy.sparse", "matplotlib.pyplot", "torch_geometric.nn", "faiss", "safetensors.torch", "transformers"),
)


@dataclass(frozen=True)
class Request:
    """A job as it was asked for: `python -m argv[0] argv[1:]`, its environment, folder, and files 0, 1, 2."""

    argv: list[str]
    environment: dict[str, str]
    folder: str
    files: list[int]

    def become(self) -> None:
        """Run the job in this process, as `python -m` would."""
        for number, file in enumerate(self.files):
            os.dup2(file, number)
            os.close(file)
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        sys.path[0] = self.folder
        sys.argv = list(self.argv)
        _leave_with(_run(self.argv[0]))


def _run(module: str) -> int:
    """Run it as `__main__`; return the exit status that Python would end with."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001 - as the interpreter itself prints whatever reaches it
        traceback.print_exc()
        return 1
    return 0


def _leave_with(status: int) -> NoReturn:
    """End as Python ends, but for taking the libraries apart piece by piece, which takes four seconds."""
    threading._shutdown()  # type: ignore[attr-defined] # pools end their threads by it, the rest is waited for
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class Worker:
    """Listens on a socket, imports while nobody asks, forks a job for each who does."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._jobs: dict[int, tuple[int, socket.socket]] = {}  # by process: the file that tells its end, who asked
        self._process = os.getpid()
        self._waiting = list(LIBRARIES)
        self._stopping: list[socket.socket] = []  # who asked the worker to end, and waits for it

    def serve(self) -> Request | None:
        """Return None once idle; in a forked process, what that has to become."""
        while True:
            if self._stopping and not self._jobs:
                return None
            ready = self._selector.select(0 if self._waiting else IDLE)
            if not ready and self._waiting:
                _import(self._waiting.pop(0))
            elif not ready and not self._jobs:
                return None
            for key, _ in ready:
                if key.data is None:
                    if request := self._accept():
                        return request
                elif key.fileobj == key.data[0]:
                    self._end(*key.data)
                else:
                    self._pass_on(*key.data)

    def _accept(self) -> Request | None:
        """Fork the job that a client asks for; its request in the fork, None here."""
        client, _ = self._listener.accept()
        message, files, _, _ = socket.recv_fds(client, MESSAGE, 3)
        if message == STOP and not self._jobs:
            self._stopping.append(client)
            return None
        if message in (STOP, b""):
            client.close()
            return None
        gc.freeze()  # what is there stays there: a collection in the fork would copy every page of it
        process = os.fork()
        if process == 0:
            self._leave(client)
            return Request(**json.loads(message), files=files)
        for file in files:
            os.close(file)
        with suppress(OSError):
            client.send(FORKED)
        ended = os.pidfd_open(process)
        self._jobs[process] = (ended, client)
        for source in (ended, client):
            self._selector.register(source, selectors.EVENT_READ, (ended, process, client))
        return None

    def _leave(self, client: socket.socket) -> None:
        """What a fork does first: nothing of the worker's stays open, and it does not outlive the worker."""
        os.setsid()
        request_parent_death_signal(self._process, signal.SIGKILL)
        self._selector.close()
        self._listener.close()
        client.close()
        for ended, other in self._jobs.values():
            os.close(ended)
            other.close()

    def _pass_on(self, ended: int, process: int, client: socket.socket) -> None:
        """End the job at its client's word, and for certain where that is gone."""
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGTERM if client.recv(16) else signal.SIGKILL)

    def _end(self, ended: int, process: int, client: socket.socket) -> None:
        """Tell the client how the job ended: its exit status, or the signal's number, negative."""
        _, status = os.waitpid(process, 0)
        with suppress(OSError):
            client.send(str(os.waitstatus_to_exitcode(status)).encode())
        for source in (ended, client):
            self._selector.unregister(source)
        os.close(ended)
        client.close()
        del self._jobs[process]


def _import(library: str) -> None:
    """Import it; a job that needs one that is absent will say so better."""
    with suppress(Exception):
        importlib.import_module(library)


def main() -> None:
    """Serve until idle; in a fork, be the job."""
    path = Path(sys.argv[1])
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # before Great Expectations is imported; nothing leaves the machine
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # as recsys_jobs/registry has it
    worker = Worker(path)
    if request := worker.serve():
        request.become()
    path.unlink(missing_ok=True)
    _leave_with(0)  # closes the sockets last: who waits for the worker's end sees it then, not before


if __name__ == "__main__":
    main()
