"""When the jobs of a run began and ended, beside Airflow: who rings for a late night cannot ask Airflow's database.

`var/stages/<dag>/<hash of the run's id>.jsonl`, a line an event.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from pathlib import Path
from typing import Any

from recsys_jobs.contracts.settings import var_dir

BEGAN, ENDED = "began", "ended"
log = logging.getLogger(__name__)


def note(context: Any, event: str) -> None:
    """Write down that a task began or ended; the job is worth more than the note, so that a full disk stops nothing."""
    task = context.get("ti") if isinstance(context, dict) else None
    if task is None:
        return
    line = json.dumps({"task": task.task_id, "event": event, "at": time.time()})
    path = _path(task.dag_id, task.run_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        log.warning("the time of %s is not noted: %s", task.task_id, error)


def seconds(dag_id: str, run_id: str, now: float) -> dict[str, tuple[float, bool]]:
    """Of each task of a run that began: its seconds, in its last try, and whether it is still at work."""
    try:
        lines = _path(dag_id, run_id).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    began: dict[str, float] = {}
    ended: dict[str, float] = {}
    for event in map(json.loads, lines):
        (began if event["event"] == BEGAN else ended)[event["task"]] = event["at"]
    times = {task: ended.get(task, 0.0) for task in began}
    return {
        task: (end - began[task], False) if end >= began[task] else (now - began[task], True)
        for task, end in times.items()
    }


def _path(dag_id: str, run_id: str) -> Path:
    name = hashlib.sha256(run_id.encode()).hexdigest()[:32]
    return var_dir() / "stages" / dag_id / f"{name}.jsonl"
