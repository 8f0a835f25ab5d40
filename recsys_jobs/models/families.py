"""The families of models, by the name a recipe gives: how each is fitted, and how it is loaded again.

A family's code is imported when it is asked for: PyG alone takes seconds, and most steps need none of it.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.blend.recipe import BlendRecipe
from recsys_jobs.models.closed_form.recipe import EaseTextRecipe
from recsys_jobs.models.recent.recipe import RecentRecipe
from recsys_jobs.models.recipes import recipe
from recsys_jobs.models.sequence.recipe import SequenceRecipe
from recsys_jobs.ranking.model import Model
from recsys_jobs.training.epochs import Epochs
from recsys_jobs.training.recipe import Recipe, TrainedRecipe

if TYPE_CHECKING:
    from recsys_jobs.models.sequence.learner import Family

OnEpoch = Callable[[dict[str, float]], None]
log = logging.getLogger(__name__)

# where `fit` and `load` of each family are; spelled out, so that a model's fingerprint finds its sources
_FIT = {
    "sage_fm": "recsys_jobs.models.sage_fm.learner",
    "sage_fm_end_to_end": "recsys_jobs.models.sage_fm.end_to_end",
    "sage_fm_softmax": "recsys_jobs.models.sage_softmax.learner",
    "sage_fm_recent": "recsys_jobs.models.sage_recent.learner",
    "lightgcn": "recsys_jobs.models.lightgcn.learner",
    "sasrec": "recsys_jobs.models.sequence.sasrec",
    "gated_sequence": "recsys_jobs.models.sequence.gated_sequence",
    "temporal_gpt2": "recsys_jobs.models.sequence.temporal_gpt2",
    "attention": "recsys_jobs.models.attention.learner",
    "ncf": "recsys_jobs.models.ncf.learner",
    "ease_text": "recsys_jobs.models.closed_form.ease_text",
    "text_knn": "recsys_jobs.models.closed_form.text_knn",
    "item_knn": "recsys_jobs.models.closed_form.item_knn",
    "user_knn": "recsys_jobs.models.closed_form.user_knn",
    "popularity": "recsys_jobs.models.closed_form.popularity",
    "random": "recsys_jobs.models.closed_form.random_scores",
    "recent": "recsys_jobs.models.recent.learner",
    "blend": "recsys_jobs.models.blend.learner",
}
_LOAD = _FIT | {"sage_fm": "recsys_jobs.models.sage_fm.fitted"}


@dataclass(frozen=True)
class Fitted:
    """A fitted model, the epochs it took (0 for a closed form), and what each epoch looked like."""

    model: Model
    epochs: Epochs = 0
    history: list[dict[str, float]] = field(default_factory=list)


def floor_recipes(settings: Settings, items: int) -> list[Recipe]:
    """The floors of a catalogue of this size: the configured ones, sparse ones alone above `floor_max_items`."""
    floors = [recipe(name) for name in settings.floors]
    if items <= settings.floor_max_items:
        return floors
    sparse = [floor for floor in floors if not is_dense(floor)] or [recipe("text_knn_recent")]
    left = ", ".join(floor.name for floor in floors if floor not in sparse)
    log.info("no floor: %s, for %d items are more than floor_max_items = %d", left, items, settings.floor_max_items)
    return sparse


def is_dense(recipe: Any) -> bool:
    """Whether fitting takes a dense matrix of all pairs of items."""
    return isinstance(recipe, EaseTextRecipe) or any(is_dense(part) for part in _parts(recipe))


def fit(
    dataset: Dataset,
    recipe: Any,
    *,
    seed: int,
    epochs: Epochs | None = None,
    checkpoint: Path | None = None,
    device: torch.device | None = None,
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Fit a recipe: with early stopping where `epochs` is None, else on all of the core for so many epochs."""
    family = _module(_FIT, recipe)
    if not is_iterative(recipe):
        return Fitted(family.fit(dataset, recipe))
    fitted = family.fit(
        dataset, recipe, seed=seed, epochs=epochs, checkpoint=checkpoint, device=device, on_epoch=on_epoch
    )
    return Fitted(fitted, fitted.epochs, fitted.history)


def is_iterative(recipe: Any) -> bool:
    """Whether a recipe trains in epochs, and stops early on the validation events."""
    return isinstance(recipe, TrainedRecipe) or any(is_iterative(part) for part in _parts(recipe))


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: Any) -> Model:
    """The model that `weights()` gave, over the dataset that it was fitted on."""
    return _module(_LOAD, recipe).load(weights, dataset, recipe)


def source_modules(recipe: Any) -> tuple[str, ...]:
    """The modules that fitting this recipe starts from."""
    parts = [module for part in _parts(recipe) for module in source_modules(part)]
    return tuple(dict.fromkeys(["recsys_jobs.models.families", _FIT[recipe.family], *parts]))


def _parts(recipe: Any) -> tuple[Recipe, ...]:
    return tuple(part for _, part in recipe.parts) if isinstance(recipe, BlendRecipe | RecentRecipe) else ()


def sequence_family(recipe: SequenceRecipe) -> Family:
    """The item tower and the body of a family over sequences."""
    family: Family = _module(_FIT, recipe).FAMILY
    return family


def _module(places: dict[str, str], recipe: Any) -> ModuleType:
    return importlib.import_module(places[recipe.family])
