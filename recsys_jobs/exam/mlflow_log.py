"""One MLflow run an exam: its settings, figures, rows and plots, and how each fit went."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import save_file

from recsys_jobs.exam import wandb_log
from recsys_jobs.exam.fit_in_process import FitSummary
from recsys_jobs.exam.options import ExamOptions
from recsys_jobs.exam.prepare import PreparedExam
from recsys_jobs.exam.results import Row, part_name
from recsys_jobs.lake.code_version import code_version
from recsys_jobs.registry import mlflow_client

EXPERIMENT, KIND, CATALOGUES = "exams", "data_set_exam", "catalogues"


def log_exam(
    options: ExamOptions, prepared: PreparedExam, rows: Sequence[Row], fits: Sequence[FitSummary], files: Sequence[Path]
) -> None:
    """Log an exam to the experiment `exams`; a use of the test part is a tag, so that it can be searched for."""
    tags = {
        "data": prepared.data,
        "protocol": prepared.protocol,
        "part": part_name(options),
        "final": str(options.final).lower(),
        "code_version": code_version(),
    }
    name = f"{prepared.data} {prepared.protocol} {part_name(options)}"
    settings = dataclasses.asdict(options) | {"protocol": prepared.protocol, "masked": prepared.datasets.masked}
    params = {key: str(value) for key, value in settings.items()}
    metrics = _metrics_by_name(rows)
    with mlflow_client.new_run(name, KIND, prepared.fingerprint, tags, EXPERIMENT):
        mlflow_client.log_params(params)
        mlflow_client.log_metrics(metrics)
        for file in files:
            mlflow_client.log_file(file)
        for fit in fits:
            if fit.catalogue:
                _log_catalogue(fit)
    if options.wandb:
        curves = {fit.recipe.name: fit.history for fit in fits}
        wandb_log.log(options.wandb, name, params, metrics, curves)


def _log_catalogue(fit: FitSummary) -> None:
    """Log the weights that rank for a plain history without the data set."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{fit.recipe.name}.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in fit.catalogue.items()}, path)
        mlflow_client.log_file(path, CATALOGUES)


def _metrics_by_name(rows: Sequence[Row]) -> dict[str, float]:
    """Return the figures over everyone, and each fit's seconds and memory, by the model's name."""
    metrics: dict[str, float] = {}
    for row in rows:
        if row["slice"] == "all" and row["value"] is not None:
            at_k = f"_at_{row['k']}" if row["k"] else ""
            metrics[f"{row['recipe']}_{row['metric']}{at_k}"] = row["value"]
        for cost in ("seconds", "peak_mb"):
            metrics[f"{row['recipe']}_{cost}"] = row[cost]
    return metrics
