"""The last task of a night: the report, with a link to it in Airflow, and an alert where the night drifted too far."""

from __future__ import annotations

import json
import logging
from typing import Any

from airflow.sdk import BaseOperatorLink

from plugins.alerts import send_alert
from plugins.job_operator import JobOperator
from plugins.pages.links import mlflow_run

log = logging.getLogger(__name__)


class ReportLink(BaseOperatorLink):
    """A button on the task: the report in MLflow's own page.

    `RECSYS_MLFLOW_URL` is where people reach MLflow; without it, the tracking server where that is one.
    """

    name = "Report of the night"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address; empty where the task has not written a report."""
        summary = getattr(operator, "summary", {})
        if "run_id" not in summary:
            return ""
        return f"{mlflow_run(summary['experiment_id'], summary['run_id'])}/artifacts/{_name(summary['report'])}"


class ReportOperator(JobOperator):
    """The job that writes the report; it gets each task's seconds, and its last line is JSON."""

    operator_extra_links = (ReportLink(),)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.summary: dict[str, Any] = {}

    def execute(self, context: Any) -> str:
        self.environment = {**self.environment, "RECSYS_STAGE_SECONDS": json.dumps(_task_seconds(context))}
        last = super().execute(context)
        try:
            self.summary = json.loads(last)
        except ValueError:  # a library printed after the job's last line, at exit
            log.warning("no link to the report, and no word of drift: the job's last line was %s", last)
        return last


def alert_drift(context: dict[str, Any]) -> None:
    """Send an alert for each drift beyond the bounds; for `on_success_callback` of the report."""
    for sentence in getattr(context["task"], "summary", {}).get("alerts", []):
        send_alert(f"{context['task'].dag_id} {context['run_id']}: drift: {sentence}")


def _task_seconds(context: Any) -> dict[str, float]:
    """Return the seconds of each finished task of this run; empty where Airflow fails: the report is worth more."""
    try:
        run = context["dag_run"]
        crumbs = context["ti"].get_task_breadcrumbs(run.dag_id, run.run_id)
        return {crumb["task_id"]: round(crumb["duration"], 3) for crumb in crumbs if crumb.get("duration") is not None}
    except Exception as error:  # noqa: BLE001
        log.warning("the report goes without the tasks' times: %s", error)
        return {}


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
