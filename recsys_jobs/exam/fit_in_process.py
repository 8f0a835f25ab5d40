"""Fits a recipe in a process of its own and loads the model over the dataset that it scores."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import load_file
from torch import Tensor

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import ROOT, var_dir
from recsys_jobs.data import dataset_file
from recsys_jobs.exam.datasets import EvaluationDatasets
from recsys_jobs.exam.fit_process import FIT, WEIGHTS
from recsys_jobs.models import families
from recsys_jobs.models.sequence import catalogue
from recsys_jobs.ranking.model import Model
from recsys_jobs.training.recipe import Recipe


@dataclass(frozen=True)
class FitSummary:
    """A fit's epochs, time and memory; `peak_mb` is that of its process alone."""

    recipe: Recipe
    fingerprint: str
    epochs: int
    seconds: float
    peak_mb: float
    history: list[dict[str, float]]
    catalogue: dict[str, Tensor]  # empty unless the family is over sequences


def fit_in_process(datasets: EvaluationDatasets, recipe: Recipe, seed: int) -> tuple[FitSummary, Model]:
    """Fit on the dataset of the recipe's family; return the summary, and the model over the dataset to score.

    JobError where the fit failed; its own error stands above.
    """
    tmp = var_dir() / "tmp"
    tmp.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=tmp) as folder:
        file, out = Path(folder) / "dataset.safetensors", Path(folder)
        dataset_file.save(datasets.for_fit(recipe), file)
        _run_fit_process(recipe.name, seed, file, out)
        summary = json.loads((out / FIT).read_text(encoding="utf-8"))
        weights = load_file(out / WEIGHTS)
    fit = FitSummary(recipe, **summary, catalogue=catalogue.pack(weights, recipe))
    return fit, families.load(weights, datasets.score, recipe)


def _run_fit_process(recipe: str, seed: int, file: Path, out: Path) -> None:
    python = [sys.executable, "-W", "ignore::FutureWarning"]  # libraries to libraries, on every import of PyG
    arguments = ["--recipe", recipe, "--seed", str(seed), "--dataset", str(file), "--out", str(out)]
    done = subprocess.run([*python, "-m", "recsys_jobs.exam.fit_process", *arguments], cwd=ROOT, check=False)
    if done.returncode < 0:
        raise JobError(f"the fit of {recipe} was killed by signal {-done.returncode}: too little memory?")
    if done.returncode:
        raise JobError(f"the fit of {recipe} failed, see above")
