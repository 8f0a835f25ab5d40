"""The runner tells Airflow's log apart: tasks, what jobs said, errors."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.operations.airflow.night_runner import Night, _follow, _require_success

OPERATOR = "[airflow.task.operators.plugins.job_operator.JobOperator] loc=job_operator.py:49"
LOG = f"""\
04:57:53Z [info     ] [DAG TEST] starting task_id=ingest.dumps map_index=-1 [airflow.sdk] loc=dag.py:1
04:57:53Z [info     ] Task started                   [airflow.api] loc=task_instances.py:226
04:57:53Z [info     ] reviews: 3 rows                {OPERATOR}
04:57:53Z [info     ] error: gzip ends early [x.gz]  {OPERATOR}
Traceback (most recent call last):
04:57:53Z [error    ] nightly manual__x: ingest.dumps failed: error: gzip ends early [x.gz] [plugins.alerts] loc=a.py:23
04:57:53Z [info     ] [DAG TEST] end task task_id=ingest.dumps map_index=-1 [airflow.sdk] loc=dag.py:1563
"""


@pytest.fixture
def night() -> Night:
    night = Night(date(2024, 1, 2), [], [], Path("night.log"))
    _follow(iter(LOG.splitlines(keepends=True)), night)
    return night


def test_tasks_and_what_their_jobs_said(night: Night) -> None:
    assert [(task.task, task.lines) for task in night.tasks] == [
        ("ingest.dumps", ["reviews: 3 rows", "error: gzip ends early [x.gz]"])
    ]


def test_a_red_task_is_named_with_its_reason_and_the_log(night: Night) -> None:
    with pytest.raises(
        JobError, match=r"is red: ingest.dumps: error: gzip ends early \[x.gz\] \(whole log: night.log\)"
    ):
        _require_success(night, 1)


def test_an_airflow_that_dies_is_told_too() -> None:
    with pytest.raises(JobError, match="exit status 3 on the night of 2024-01-02"):
        _require_success(Night(date(2024, 1, 2), [], [], Path("night.log")), 3)
