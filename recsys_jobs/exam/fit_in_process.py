"""Fits a recipe in a process of its own and asks the model back, over the dataset that it is asked about."""

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
from recsys_jobs.exam.datasets import Sitting
from recsys_jobs.exam.fit_process import FIT, WEIGHTS
from recsys_jobs.models import families
from recsys_jobs.models.sequence import catalogue
from recsys_jobs.ranking.model import Model
from recsys_jobs.training.recipe import Recipe


@dataclass(frozen=True)
class Trained:
    """What a fit took; `peak_mb` is that of its process alone."""

    recipe: Recipe
    fingerprint: str
    epochs: int
    seconds: float
    peak_mb: float
    history: list[dict[str, float]]
    catalogue: dict[str, Tensor]  # empty where the family is none over sequences


def train(sitting: Sitting, recipe: Recipe, seed: int) -> tuple[Trained, Model]:
    """Fit on what the recipe's family is fitted on; return the model over what is scored.

    JobError where the fit failed; its own error stands above.
    """
    place = var_dir() / "tmp"
    place.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place) as folder:
        file, out = Path(folder) / "dataset.safetensors", Path(folder)
        dataset_file.save(sitting.for_fit(recipe), file)
        _run(recipe.name, seed, file, out)
        told = json.loads((out / FIT).read_text(encoding="utf-8"))
        weights = load_file(out / WEIGHTS)
    trained = Trained(recipe, **told, catalogue=catalogue.pack(weights, recipe))
    return trained, families.load(weights, sitting.scored, recipe)


def _run(recipe: str, seed: int, file: Path, out: Path) -> None:
    python = [sys.executable, "-W", "ignore::FutureWarning"]  # libraries to libraries, on every import of PyG
    asked = ["--recipe", recipe, "--seed", str(seed), "--dataset", str(file), "--out", str(out)]
    done = subprocess.run([*python, "-m", "recsys_jobs.exam.fit_process", *asked], cwd=ROOT, check=False)
    if done.returncode < 0:
        raise JobError(f"the fit of {recipe} was killed by signal {-done.returncode}: too little memory?")
    if done.returncode:
        raise JobError(f"the fit of {recipe} failed, see above")
