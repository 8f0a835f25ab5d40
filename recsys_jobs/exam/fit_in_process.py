"""Fits a recipe in a process of its own and loads the model over the dataset that it scores."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import load_file
from torch import Tensor

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import ROOT, var_dir
from recsys_jobs.data import dataset_file
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.exam.datasets import EvaluationDatasets
from recsys_jobs.exam.fit_process import FIT, WEIGHTS
from recsys_jobs.models import families
from recsys_jobs.models.sequence import catalogue
from recsys_jobs.ranking.model import Model
from recsys_jobs.training.epochs import Epochs, format_epochs, parse_epochs
from recsys_jobs.training.recipe import Recipe, is_iterative


@dataclass(frozen=True)
class FitSummary:
    """A fit's epochs, time and memory; `peak_mb` is that of its process alone."""

    recipe: Recipe
    fingerprint: str
    epochs: Epochs
    seconds: float
    peak_mb: float
    history: list[dict[str, float]]
    catalogue: dict[str, Tensor]  # empty unless the family is over sequences


def fit_in_process(datasets: EvaluationDatasets, recipe: Recipe, seed: int) -> tuple[FitSummary, Model]:
    """Fit on the dataset of the recipe's family; return the summary, and the model over the dataset to score.

    Where the datasets have a refit, the model is fitted again on it, for the epochs that validation chose.
    JobError where a fit failed; its own error stands above.
    """
    if datasets.refit is None:
        fit, weights = _fit(datasets.for_fit(recipe), recipe, seed)
    else:
        fit, weights = _fit_twice(datasets.for_fit(recipe), datasets.refit, recipe, seed)
    return fit, families.load(weights, datasets.score, recipe)


def _fit_twice(first: Dataset, refit: Dataset, recipe: Recipe, seed: int) -> tuple[FitSummary, dict[str, Tensor]]:
    if not is_iterative(recipe):
        return _fit(refit, recipe, seed)
    by_validation, _ = _fit(first, recipe, seed)
    final, weights = _fit(refit, recipe, seed, by_validation.epochs)
    seconds = by_validation.seconds + final.seconds
    peak_mb = max(by_validation.peak_mb, final.peak_mb)
    return replace(final, seconds=seconds, peak_mb=peak_mb, history=by_validation.history), weights


def _fit(
    dataset: Dataset, recipe: Recipe, seed: int, epochs: Epochs | None = None
) -> tuple[FitSummary, dict[str, Tensor]]:
    tmp = var_dir() / "tmp"
    tmp.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=tmp) as folder:
        file, out = Path(folder) / "dataset.safetensors", Path(folder)
        dataset_file.save(dataset, file)
        _run_fit_process(recipe.name, seed, epochs, file, out)
        summary = json.loads((out / FIT).read_text(encoding="utf-8"))
        weights = load_file(out / WEIGHTS)
    summary["epochs"] = parse_epochs(summary["epochs"])
    return FitSummary(recipe, **summary, catalogue=catalogue.pack(weights, recipe)), weights


def _run_fit_process(recipe: str, seed: int, epochs: Epochs | None, file: Path, out: Path) -> None:
    python = [sys.executable, "-W", "ignore::FutureWarning"]  # libraries to libraries, on every import of PyG
    arguments = ["--recipe", recipe, "--seed", str(seed), "--dataset", str(file), "--out", str(out)]
    if epochs is not None:
        arguments += ["--epochs", format_epochs(epochs)]
    done = subprocess.run([*python, "-m", "recsys_jobs.exam.fit_process", *arguments], cwd=ROOT, check=False)
    if done.returncode < 0:
        raise JobError(f"the fit of {recipe} was killed by signal {-done.returncode}: too little memory?")
    if done.returncode:
        raise JobError(f"the fit of {recipe} failed, see above")
