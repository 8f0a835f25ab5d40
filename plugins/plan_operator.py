"""The job whose last line is JSON: what the tasks that come after it are mapped over."""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk.exceptions import AirflowException

from plugins.job_operator import JobOperator


class PlanOperator(JobOperator):
    """A job that prints a JSON list as its last line; the list is the task's XCom, for `.expand`."""

    def execute(self, context: Any) -> list[Any]:  # type: ignore[override]
        last = super().execute(context)
        try:
            planned = json.loads(last)
        except ValueError:
            planned = None
        if not isinstance(planned, list):
            raise AirflowException(f"python -m {self.module} was to end with a JSON list; its last line was: {last}")
        return planned
