"""One MLflow run an exam: what was asked, the figures, the rows, the plots and how each fit went."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import save_file

from recsys_jobs.exam import wandb_log
from recsys_jobs.exam.fit_in_process import Trained
from recsys_jobs.exam.options import Call
from recsys_jobs.exam.prepare import Question
from recsys_jobs.exam.results import Row, part_of
from recsys_jobs.lake.code_version import code_version
from recsys_jobs.registry import mlflow_client

EXPERIMENT, KIND, CATALOGUES = "exams", "data_set_exam", "catalogues"


def log_exam(
    call: Call, question: Question, rows: Sequence[Row], fits: Sequence[Trained], files: Sequence[Path]
) -> None:
    """Log an exam to the experiment `exams`; a use of the test part is a tag, so that it can be searched for."""
    tags = {
        "data": question.data,
        "protocol": question.protocol,
        "part": part_of(call),
        "final": str(call.final).lower(),
        "code_version": code_version(),
    }
    name = f"{question.data} {question.protocol} {part_of(call)}"
    asked = dataclasses.asdict(call) | {"protocol": question.protocol, "masked": question.sitting.masked}
    told = {key: str(value) for key, value in asked.items()}
    with mlflow_client.new_run(name, KIND, question.fingerprint, tags, EXPERIMENT):
        mlflow_client.log_params(told)
        mlflow_client.log_metrics(_metrics(rows))
        for file in files:
            mlflow_client.log_file(file)
        for fit in fits:
            if fit.catalogue:
                _log_catalogue(fit)
    if call.wandb:
        wandb_log.log(call.wandb, name, told, _metrics(rows), {fit.recipe.name: fit.history for fit in fits})


def _log_catalogue(fit: Trained) -> None:
    """Keep what ranks for a plain history without the data set."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{fit.recipe.name}.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in fit.catalogue.items()}, path)
        mlflow_client.log_file(path, CATALOGUES)


def _metrics(rows: Sequence[Row]) -> dict[str, float]:
    """The figures over everyone, and what each fit took, by the model's name."""
    named = {
        f"{r['recipe']}_{r['metric']}" + (f"_at_{r['k']}" if r["k"] else ""): r["value"]
        for r in rows
        if r["slice"] == "all" and r["value"] is not None
    }
    return named | {f"{r['recipe']}_{what}": r[what] for r in rows for what in ("seconds", "peak_mb")}
