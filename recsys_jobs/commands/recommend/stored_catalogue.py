"""Finds the newest catalogue that MLflow keeps: in the weights of the lake's fits, or beside an exam's figures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import load_file
from torch import Tensor

from recsys_jobs.commands.recommend.options import SEQUENCE_RECIPES, RecommendOptions
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.exam import mlflow_log
from recsys_jobs.models import families
from recsys_jobs.models.sequence.catalogue import RECIPE, Catalogue, recipe_in, unpack
from recsys_jobs.registry import mlflow_client
from recsys_jobs.registry.fits import EXAM, SERVING, WEIGHTS
from recsys_jobs.registry.mlflow_client import Run


def newest_catalogue(options: RecommendOptions) -> tuple[Catalogue, Run, str]:
    """Return a catalogue, the run that it is of, and that run in words; JobError where MLflow keeps none."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # one small file
    recipes = (options.model,) if options.model else SEQUENCE_RECIPES
    candidates = _of_exams(options.exam, recipes) if options.exam else _of_lake(recipes)
    for run, artifact, description in candidates:
        tensors = _download_tensors(run.info.run_id, artifact)
        if RECIPE in tensors:
            recipe = recipe_in(tensors)
            return unpack(tensors, families.sequence_family(recipe), recipe), run, description
    where = f"an exam of {options.exam}" if options.exam else f"the lake {mlflow_client.registered_name()}"
    first = f"recsys exam DATA --models {recipes[0]}" if options.exam else f"recsys night DATE --recipe {recipes[0]}"
    raise JobError(f"MLflow keeps no catalogue of {' or '.join(recipes)} from {where}: run {first} first")


def _of_lake(recipes: tuple[str, ...]) -> Iterator[tuple[Run, str, str]]:
    """Yield run, artifact and description of the lake's fits, serving fits before exam fits."""
    for kind in (SERVING, EXAM):
        for run in mlflow_client.runs_of_kind(kind):
            name = run.data.tags.get("recipe", "")
            if name in recipes:
                yield run, WEIGHTS, f"{name}, {kind} fit as of {run.data.tags['cut']}"


def _of_exams(data: str, recipes: tuple[str, ...]) -> Iterator[tuple[Run, str, str]]:
    """Yield run, artifact and description of a data set's exams."""
    for run in mlflow_client.runs_of_kind(mlflow_log.KIND, mlflow_log.EXPERIMENT):
        if run.data.tags.get("data") != data:
            continue
        artifacts = mlflow_client.artifacts(run.info.run_id, mlflow_log.CATALOGUES)
        by_recipe = {Path(artifact).stem: artifact for artifact in artifacts}
        for name in recipes:
            if name in by_recipe:
                yield run, by_recipe[name], f"{name}, fitted for the exam {run.info.run_name}"


def _download_tensors(run_id: str, artifact: str) -> dict[str, Tensor]:
    with TemporaryDirectory() as folder:
        return load_file(mlflow_client.fetch(run_id, artifact, Path(folder)))
