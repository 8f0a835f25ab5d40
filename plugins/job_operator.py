"""The operator that launches one job of the pipeline as a process of its own, in a container or as a pod.

A job is `python -m <module> <arguments>`, all strings: the scheduler needs none of its libraries,
and the same line typed in a terminal does the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from plugins import stage_times
from plugins.launchers import Job, launch
from recsys_jobs.contracts.errors import sanitize

_GRACE = 20  # seconds between SIGTERM and SIGKILL
_DEFAULTS = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONWARNINGS": "ignore::FutureWarning",
    "TQDM_MININTERVAL": "10",  # a bar is a line of the log at each step here
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # threads that spin as long as they wait make two jobs on one machine many times slower than one after the
    # other; threads that never do make a small model's fit twice as slow
    "GOMP_SPINCOUNT": "10000",
}


class JobOperator(BaseOperator):
    """Run `python -m module *arguments`; stream its output into the task's log; end it with the task.

    A job that ends with a verdict (one line `error: …`, exit status 1 or 2) fails the task for good:
    a retry would meet the same gate. A job that dies otherwise (killed, out of memory, a service
    that is down) fails the attempt, and the task's retries apply. `environment` is added to the
    scheduler's own, which also chooses the launcher (`plugins.launchers`); a job with `gpu` can use
    one. The last line of output is the task's XCom.
    """

    template_fields: Sequence[str] = ("module", "arguments", "environment")
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        module: str,
        arguments: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        gpu: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.module = module
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.gpu = gpu
        self._cleanup: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> str:
        stage_times.note(context, stage_times.BEGAN)
        try:
            return self._run()
        finally:
            stage_times.note(context, stage_times.ENDED)

    def _run(self) -> str:
        self._process = self._launch()
        last = verdict = ""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.log.info("%s", sanitize(line.rstrip("\n")))
            last = sanitize(line.strip()) or last
            verdict = last if last.startswith("error: ") else verdict  # libraries may have words after it, at exit
        self._raise_unless_succeeded(self._process.wait(), last, verdict)
        return last

    def on_kill(self) -> None:
        """End the job and whatever it started: first politely, then for certain."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._cleanup:
            subprocess.run(self._cleanup, check=False, timeout=_GRACE)

    def _launch(self) -> subprocess.Popen[str]:
        job = Job(self.module, [argument for argument in self.arguments if argument], self.gpu)
        environment = {**_DEFAULTS, **os.environ, **self.environment}
        try:
            launched = launch(job, environment)
        except ValueError as error:
            raise AirflowFailException(f"error: {error}") from None
        self._cleanup = launched.cleanup
        self.log.info("%s", " ".join(job.command))
        return subprocess.Popen(
            launched.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )

    def _raise_unless_succeeded(self, status: int, last_line: str, verdict: str) -> None:
        if status == 0:
            return
        if status in (1, 2) and verdict:
            raise AirflowFailException(verdict)
        ended = f"was ended by signal {-status}" if status < 0 else f"ended with exit status {status}"
        raise AirflowException(f"python -m {self.module} {ended}; its last line was: {last_line}")
