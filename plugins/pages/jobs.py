"""What takes longer than a page may: jobs beside the API server, started once, asked for again until they are done.

A job is a module of this project as a process of its own, as Airflow's tasks are (plugins/launchers.py). Its last line
is JSON. Results are kept in memory alone, and for minutes: they name people, and a forgotten one must be gone.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import IO, Any

from plugins.launchers import Job, launch

_KEPT, _LIMIT = 600.0, 600.0  # seconds: a result is kept, a job may take
_MOST, _AT_ONCE = 64, 2  # results kept, jobs at work


@dataclass(frozen=True)
class Answer:
    """What there is of a job: its result, the line that says why there is none, or neither while it works."""

    result: dict[str, Any] | None = None
    error: str = ""
    seconds: float = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether to ask again."""
        return self.result is None and not self.error


@dataclass
class _Running:
    process: subprocess.Popen[str]
    output: IO[str]
    began: float = field(default_factory=time.monotonic)


class Jobs:
    """Jobs by what they were asked for; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Job, _Running] = {}
        self._done: dict[Job, tuple[float, Answer]] = {}

    def ask(self, module: str, *arguments: str) -> Answer:
        """The job's answer; one that nobody asked for yet is started, as soon as fewer than two are at work."""
        job = Job(module, arguments)
        with self._lock:
            self._collect()
            if job in self._done:
                return self._done[job][1]
            if job not in self._running and len(self._running) < _AT_ONCE:
                self._start(job)
            running = self._running.get(job)
            return Answer(seconds=time.monotonic() - running.began if running else 0.0)

    def _start(self, job: Job) -> None:
        output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - the job's, until it ends
        try:
            environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
            command = launch(job, environment).command
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, text=True
            )
        except (OSError, ValueError) as error:  # an id may have a byte that no argument can
            output.close()
            self._finish(job, Answer(error=f"the job could not be started: {type(error).__name__}"))
            return
        self._running[job] = _Running(process, output)

    def _collect(self) -> None:
        """Take the results of the jobs that ended, end those that take too long, and drop what is old."""
        now = time.monotonic()
        for job, running in list(self._running.items()):
            status = running.process.poll()
            if status is None and now - running.began > _LIMIT:
                running.process.terminate()
                self._take(job, Answer(error="it took too long and was ended"))
            elif status is not None:
                self._take(job, _answer(running, status))
        for job, (done_at, _) in list(self._done.items()):
            if now - done_at > _KEPT:
                del self._done[job]

    def _take(self, job: Job, answer: Answer) -> None:
        self._running.pop(job).output.close()
        self._finish(job, answer)

    def _finish(self, job: Job, answer: Answer) -> None:
        while len(self._done) >= _MOST:
            del self._done[next(iter(self._done))]
        self._done[job] = (time.monotonic(), answer)


def _answer(running: _Running, status: int) -> Answer:
    running.output.seek(0)
    lines = [line.strip() for line in running.output if line.strip()]
    seconds = time.monotonic() - running.began
    verdicts = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if status:
        return Answer(error=verdicts[-1] if verdicts else f"the job ended with exit status {status}", seconds=seconds)
    for line in reversed(lines):
        if line.startswith("{"):
            try:
                return Answer(json.loads(line), seconds=seconds)
            except ValueError:
                break
    return Answer(error="the job left no result", seconds=seconds)
