"""Fits and loads any recipe, by the family that it names.

A family's code is imported when it is asked for: PyG alone takes seconds, and most steps need none of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.recipes import FAMILIES
from recsys_jobs.ranking.model import Model
from recsys_jobs.training.epochs import Epochs
from recsys_jobs.training.recipe import Recipe, is_iterative, part_recipes

if TYPE_CHECKING:
    from recsys_jobs.models.sequence.learner import Family

OnEpoch = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class Fitted:
    """A fitted model, the epochs it took (0 for a closed form), and what each epoch looked like."""

    model: Model
    epochs: Epochs = 0
    history: list[dict[str, float]] = field(default_factory=list)


def fit(
    dataset: Dataset,
    recipe: Recipe,
    *,
    seed: int,
    epochs: Epochs | None = None,
    checkpoint: Path | None = None,
    device: torch.device | None = None,
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Fit a recipe: with early stopping where `epochs` is None, else on all of the core for so many epochs."""
    family = _module(recipe)
    if not is_iterative(recipe):
        return Fitted(family.fit(dataset, recipe))
    fitted = family.fit(
        dataset, recipe, seed=seed, epochs=epochs, checkpoint=checkpoint, device=device, on_epoch=on_epoch
    )
    return Fitted(fitted, fitted.epochs, fitted.history)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: Recipe) -> Model:
    """Return the model that `weights()` gave, over the dataset that it was fitted on."""
    model: Model = _module(recipe).load(weights, dataset, recipe)
    return model


def source_modules(recipe: Recipe) -> tuple[str, ...]:
    """Return the modules that fitting this recipe starts from: its family's, then those of its parts."""
    parts = [module for part in part_recipes(recipe) for module in source_modules(part)]
    return tuple(dict.fromkeys([FAMILIES[recipe.family], *parts]))


def sequence_family(recipe: Recipe) -> Family:
    """Return the item tower and the body of a family over sequences."""
    family: Family = _module(recipe).FAMILY
    return family


def _module(recipe: Recipe) -> ModuleType:
    return importlib.import_module(FAMILIES[recipe.family])
