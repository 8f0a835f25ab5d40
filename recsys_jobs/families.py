"""The families of models, by the name a recipe gives: how each is fitted, and how it is loaded again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from recsys_jobs import training
from recsys_jobs.dataset import Dataset
from recsys_jobs.models import ease_text, fitted_sage_fm, popularity, random_scores, text_knn
from recsys_jobs.models.contract import Model
from recsys_jobs.recipes import Recipe, recipe
from recsys_jobs.settings import Settings

OnEpoch = Callable[[dict[str, float]], None]
log = logging.getLogger(__name__)

# what learns in one pass: `fit(dataset, recipe)` and `load(weights, dataset, recipe)`
_CLOSED_FORM: dict[str, ModuleType] = {
    "ease_text": ease_text,
    "text_knn": text_knn,
    "popularity": popularity,
    "random": random_scores,
}


@dataclass(frozen=True)
class Fitted:
    """A fitted model, the epochs it took (0 for a closed form), and what each epoch looked like."""

    model: Model
    epochs: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def floor_recipe(settings: Settings, items: int) -> Recipe:
    """The floor of a catalogue of this size: the configured one, or a sparse one above `floor_max_items`."""
    if items <= settings.floor_max_items:
        return recipe(settings.floor)
    log.info("the floor is text_knn: %d items are more than floor_max_items = %d", items, settings.floor_max_items)
    return recipe("text_knn")


def fit(
    dataset: Dataset,
    recipe: Any,
    *,
    seed: int,
    epochs: int | None = None,
    checkpoint: Path | None = None,
    device: torch.device | None = None,
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Fit a recipe: with early stopping where `epochs` is None, else on all of the core for so many epochs."""
    if recipe.family in _CLOSED_FORM:
        return Fitted(_CLOSED_FORM[recipe.family].fit(dataset, recipe))
    fitted = training.fit(
        dataset, recipe, seed=seed, epochs=epochs, checkpoint=checkpoint, device=device, on_epoch=on_epoch
    )
    return Fitted(fitted, fitted.epochs, fitted.history)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: Any) -> Model:
    """The model that `weights()` gave, over the dataset that it was fitted on."""
    family = _CLOSED_FORM.get(recipe.family, fitted_sage_fm)
    return family.load(weights, dataset, recipe)
