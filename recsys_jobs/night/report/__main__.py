"""Writes the report of a published night, and warns of drift beyond the configured bounds.

`python -m recsys_jobs.night.report --run-date D [--recipe NAME]`. The page goes to `var/reports/night-<date>.html`
and to the night's run in MLflow; its numbers, as JSON, and how often each item was shown stand beside it. The last
line of output is JSON: where the page is, and the sentences of the alert, if there is one. Airflow passes in
`RECSYS_STAGE_SECONDS`, a JSON object, the seconds of each task.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from recsys_jobs.contracts.errors import JobError, run_main
from recsys_jobs.contracts.settings import var_dir
from recsys_jobs.contracts.tables import PUBLICATIONS
from recsys_jobs.lake import delta, model_metrics
from recsys_jobs.lake.sql import connect
from recsys_jobs.night import report_page
from recsys_jobs.night.report.drift import Drift, drift
from recsys_jobs.night.report.numbers import last_nights
from recsys_jobs.night.report.sections import sections
from recsys_jobs.night.report.stages import Stage, parse_seconds, stages
from recsys_jobs.pages.exposure import write_exposure
from recsys_jobs.promotion import decision_log
from recsys_jobs.promotion.gate import Decision
from recsys_jobs.promotion.night_context import NightContext, parse_night
from recsys_jobs.registry import mlflow_client

KIND = "night"
log = logging.getLogger(__name__)


def write(night: NightContext, seconds: dict[str, float]) -> dict[str, Any]:
    """Write the page, log it with its numbers to MLflow; return the JSON of the last line of output."""
    connection = connect()
    nights = last_nights(connection, night.run_date)
    if not nights or nights[-1] != night.run_date:
        raise JobError(
            f"nothing is published for {night.run_date}: run python -m recsys_jobs.night.publish for it first"
        )
    night_drift = drift(connection, nights)
    night_stages = stages(connection, night.run_date, seconds)
    alerts = night_drift.alerts(night.settings) if night_drift else []
    path = var_dir() / "reports" / f"night-{night.run_date}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    decision = decision_log.gate_decision(night.run_date, night.recipe)
    rows, k = model_metrics.rows_of(night.run_date), night.settings.k
    page = report_page.render(
        f"The night of {night.run_date}",
        Decision(decision["decision"], decision["publishes"], decision["reason"]),
        _facts(night),
        rows,
        k,
        report_page.metric_pictures(rows, k),
        sections=list(sections(connection, nights, k, night_drift, night_stages)),
        alerts=alerts,
    )
    path.write_text(page, encoding="utf-8")
    run_id = _log_night(night, path, night_drift, night_stages)
    summary = {"experiment_id": mlflow_client.experiment_id(), "run_id": run_id, "alerts": alerts}
    write_exposure(night.run_date)
    _write_numbers(path.with_suffix(".json"), summary, night_drift, night_stages)
    return {"report": str(path), **summary}


def _write_numbers(path: Path, summary: dict[str, Any], night_drift: Drift | None, night_stages: list[Stage]) -> None:
    """Keep the numbers beside the page: drift reads every slate of two nights, and the table of nights needs many."""
    numbers = dict(summary)
    numbers["seconds"] = {stage.task: stage.seconds for stage in night_stages if stage.seconds is not None}
    numbers["overlap"] = night_drift.overlap if night_drift else None
    numbers["score_distance"] = night_drift.score_distance if night_drift else None
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps(numbers), encoding="utf-8")
    partial.replace(path)


def _facts(night: NightContext) -> dict[str, object]:
    """The night's lineage: its model, and the versions of its inputs."""
    publications = delta.read_date(PUBLICATIONS, night.run_date).to_pylist()
    publication = publications[0] if publications else {}
    names = ("recipe", "model_name", "model_version", "model_fingerprint", "run_id", "seed", "epochs", "code_version")
    facts = {name.replace("_", " "): publication[name] for name in names if publication.get(name) is not None}
    inputs = {"inputs, Delta versions": publication.get("delta_versions", "")}
    return {"run date": night.run_date} | facts | inputs


def _log_night(night: NightContext, page: Path, night_drift: Drift | None, night_stages: list[Stage]) -> str:
    """Log page and numbers to the night's run, of which there is one a date; return its id."""
    mlflow_client.client()
    numbers: dict[str, float | None] = {f"seconds.{stage.task}": stage.seconds for stage in night_stages}
    numbers |= {f"rows.{stage.task}": stage.rows for stage in night_stages}
    if night_drift:
        numbers |= {"slate_overlap": night_drift.overlap, "score_drift": night_drift.score_distance}
    fingerprint = f"{KIND}-{night.run_date}"
    earlier_run = mlflow_client.find_run(fingerprint, KIND)
    resumed = mlflow_client.resumed_run(earlier_run.info.run_id) if earlier_run else None
    tags = night.tags(night.run_date)
    with resumed or mlflow_client.new_run(f"night {night.run_date}", KIND, fingerprint, tags) as run:
        mlflow_client.log_metrics({name: float(value) for name, value in numbers.items() if value is not None})
        mlflow_client.log_file(page)
        return str(run.info.run_id)


def main() -> None:
    """The step's command line."""
    night = parse_night(__doc__ or "")
    seconds = parse_seconds(os.environ.get("RECSYS_STAGE_SECONDS", ""))
    summary = write(night, seconds)
    log.info("report: %s", summary["report"])
    for sentence in summary["alerts"]:
        log.warning("drift: %s", sentence)
    log.info("%s", json.dumps(summary))


if __name__ == "__main__":
    run_main(main)
