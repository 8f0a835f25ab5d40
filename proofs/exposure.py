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


def logs_without(folder: Path, secrets: Mapping[str, str]) -> str:
    """How many log files under `folder` were read; JobError naming secret and file where one holds its value."""
    logs = [path for path in folder.rglob("*") if path.is_file() and _is_log(path.relative_to(folder))]
    found = [f"{name} in {log}" for log in logs for name in _within(log.read_bytes(), secrets)]
    if found:
        raise JobError(f"secrets in logs: {', '.join(sorted(found))}")
    size = sum(log.stat().st_size for log in logs)
    return f"none of {len(secrets)} values in {len(logs)} files of {size / 1e6:.1f} MB"


def _is_log(path: Path) -> bool:
    return path.suffix == ".log" or "logs" in path.parts or path.name in ("stdout", "stderr")  # Spark's executors


def _within(text: bytes, secrets: Mapping[str, str]) -> Iterator[str]:
    yield from (name for name, value in secrets.items() if value.encode() in text)


class CommandLines:
    """Looks at every process's command line, twice a second while the context is open, for the secrets."""

    def __init__(self, secrets: Mapping[str, str], processes: Path = Path("/proc")) -> None:
        self._secrets, self._processes = secrets, processes
        self._found: set[str] = set()
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
            self._found |= {f"{name} on that of {program}" for name in _within(line, self._secrets)}
        self._looks += 1

    def verdict(self) -> str:
        """How often was looked; JobError naming secret and program where one was seen."""
        if self._found:
            raise JobError(f"secrets on command lines: {', '.join(sorted(self._found))}")
        return f"none of {len(self._secrets)} values, {self._looks} looks"


def beyond_loopback(said: str) -> set[int]:
    """The ports in what `ss -ltnH` says that listen on more than their own host's loopback."""
    places = [line.split()[3].rpartition(":") for line in said.splitlines() if line.strip()]
    return {int(port) for address, _, port in places if not re.match(r"127\.|\[::1\]|\[::ffff:127\.", address)}


def open_ports(running: Containers) -> str:
    """Each service's ports that others can reach; JobError for one that is not there by design."""
    found = {name: beyond_loopback(running.run(name, ["ss", "-ltnH"]).stdout) for name in running.services}
    strange = [
        f"{name}:{port}"
        for name, ports in found.items()
        for port in sorted(ports - OPEN.get(name, set()))
        if port not in _EPHEMERAL
    ]
    if strange:
        raise JobError(f"open, and not by design: {', '.join(strange)}")
    return ", ".join(f"{name} {' '.join(map(str, sorted(ports)))}" for name, ports in found.items() if ports)
