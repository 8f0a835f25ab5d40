"""The last task of a night: the report, with a link to it in Airflow, and a word where the night drifted too far."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from airflow.sdk import BaseOperatorLink

from plugins.alerts import say
from plugins.job_operator import JobOperator

_MLFLOW = "http://127.0.0.1:5000"  # where `make ui` serves it
log = logging.getLogger(__name__)


class ReportLink(BaseOperatorLink):
    """A button on the task: the report in MLflow's own page.

    `RECSYS_MLFLOW_URL` is where people reach MLflow; without it, the tracking server where that is one.
    """

    name = "Report of the night"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address; empty where the task has not written a report."""
        written = getattr(operator, "written", {})
        if "run_id" not in written:
            return ""
        tracking = os.environ.get("MLFLOW_TRACKING_URI", "")
        base = os.environ.get("RECSYS_MLFLOW_URL") or (tracking if tracking.startswith("http") else _MLFLOW)
        page = f"experiments/{written['experiment_id']}/runs/{written['run_id']}/artifacts/{_name(written['report'])}"
        return f"{base.rstrip('/')}/#/{page}"


class ReportOperator(JobOperator):
    """The job that writes the report; it is told what each task took, and its last line is JSON."""

    operator_extra_links = (ReportLink(),)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.written: dict[str, Any] = {}

    def execute(self, context: Any) -> str:
        self.environment = {**self.environment, "RECSYS_STAGE_SECONDS": json.dumps(_seconds(context))}
        last = super().execute(context)
        try:
            self.written = json.loads(last)
        except ValueError:  # a library had the last word, at exit
            log.warning("no link to the report, and no word of drift: the job's last line was %s", last)
        return last


def say_drift(context: dict[str, Any]) -> None:
    """Tell of drift beyond the bounds, as a failure is told; for `on_success_callback` of the report."""
    for sentence in getattr(context["task"], "written", {}).get("alerts", []):
        say(f"{context['task'].dag_id} {context['run_id']}: drift: {sentence}")


def _seconds(context: Any) -> dict[str, float]:
    """What each finished task of this run took; empty where Airflow does not say, for a report is worth more."""
    try:
        run = context["dag_run"]
        crumbs = context["ti"].get_task_breadcrumbs(run.dag_id, run.run_id)
        return {crumb["task_id"]: round(crumb["duration"], 3) for crumb in crumbs if crumb.get("duration") is not None}
    except Exception as error:  # noqa: BLE001
        log.warning("the report goes without the tasks' times: %s", error)
        return {}


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
