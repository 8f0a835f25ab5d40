"""What the running stack shows: secrets in logs and on command lines, ports that are open to other services."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_jobs.contracts.errors import JobError

if TYPE_CHECKING:
    from proofs.containers import Containers

_LOOK_AGAIN = 0.5  # seconds
# by design: what is published, what the services ask of each other, and SeaweedFS's gRPC twin of its S3 port
OPEN = {
    "postgres": {5432},
    "s3": {8333, 18333},
    "mlflow": {5000},
    "spark-master": {7077, 8080},
    "spark-worker": {8081},
    "thrift": {10000},
    "airflow-api-server": {8080},
    "airflow-scheduler": {8793},  # Airflow's own servers of log files, which ask for a token
    "airflow-triggerer": {8794},
}
_EPHEMERAL = range(32768, 61000)  # Linux's choice for port 0: Spark's workers and drivers among themselves


def check_logs(folder: Path, secrets: Mapping[str, str]) -> str:
    """Return how many log files under `folder` were read; JobError naming secret and file where one holds its value."""
    logs = [path for path in folder.rglob("*") if path.is_file() and _is_log(path.relative_to(folder))]
    leaks = [f"{name} in {log}" for log in logs for name in _secrets_in(log.read_bytes(), secrets)]
    if leaks:
        raise JobError(f"secrets in logs: {', '.join(sorted(leaks))}")
    size = sum(log.stat().st_size for log in logs)
    return f"none of {len(secrets)} values in {len(logs)} files of {size / 1e6:.1f} MB"


def _is_log(path: Path) -> bool:
    return path.suffix == ".log" or "logs" in path.parts or path.name in ("stdout", "stderr")  # Spark's executors


def _secrets_in(text: bytes, secrets: Mapping[str, str]) -> Iterator[str]:
    yield from (name for name, value in secrets.items() if value.encode() in text)


class CommandLines:
    """Looks at every process's command line, twice a second while the context is open, for the secrets."""

    def __init__(self, secrets: Mapping[str, str], processes: Path = Path("/proc")) -> None:
        self._secrets, self._processes = secrets, processes
        self._leaks: set[str] = set()
        self._looks = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> CommandLines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.is_set():
            self.look()
            self._end.wait(_LOOK_AGAIN)

    def look(self) -> None:
        """Look once."""
        for path in self._processes.glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:  # the process has just ended
                continue
            program = line.split(b"\0")[0].decode(errors="replace")
            self._leaks |= {f"{name} on that of {program}" for name in _secrets_in(line, self._secrets)}
        self._looks += 1

    def verdict(self) -> str:
        """Return how often was looked; JobError naming secret and program where one was seen."""
        if self._leaks:
            raise JobError(f"secrets on command lines: {', '.join(sorted(self._leaks))}")
        return f"none of {len(self._secrets)} values, {self._looks} looks"


def beyond_loopback(sockets: str) -> set[int]:
    """Return the ports in the output of `ss -ltnH` that listen on more than their own host's loopback."""
    endpoints = [line.split()[3].rpartition(":") for line in sockets.splitlines() if line.strip()]
    return {int(port) for address, _, port in endpoints if not re.match(r"127\.|\[::1\]|\[::ffff:127\.", address)}


def check_open_ports(running: Containers) -> str:
    """Return each service's ports that others can reach; JobError for one that is not there by design."""
    open_ports = {name: beyond_loopback(running.run(name, ["ss", "-ltnH"]).stdout) for name in running.services}
    unexpected = [
        f"{name}:{port}"
        for name, ports in open_ports.items()
        for port in sorted(ports - OPEN.get(name, set()))
        if port not in _EPHEMERAL
    ]
    if unexpected:
        raise JobError(f"open, and not by design: {', '.join(unexpected)}")
    return ", ".join(f"{name} {' '.join(map(str, sorted(ports)))}" for name, ports in open_ports.items() if ports)
