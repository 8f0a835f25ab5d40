"""The objective of the search: NDCG on what the recipe's fit validates itself by, all of it before the cut.

A trained recipe: the validation events that its early stopping looks at. A recipe in time: the last windows that it
learned on. Another closed form, which has neither: the same validation events, by a fit that never saw them. Nothing
here can reach the lake: what a search is given is one dataset.
"""

from __future__ import annotations

from typing import NamedTuple

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.without_events import without_events
from recsys_jobs.models import families
from recsys_jobs.models.recent.recipe import RecentRecipe
from recsys_jobs.ranking.model import Validated
from recsys_jobs.torch_common.devices import choose_device
from recsys_jobs.training.early_stopping import choose_validation_set
from recsys_jobs.training.epochs import total_epochs
from recsys_jobs.training.recipe import Recipe, TrainedRecipe, is_iterative


class ValidationScore(NamedTuple):
    """NDCG on validation, and the epochs that early stopping kept (0 for a closed form)."""

    ndcg: float
    epochs: int = 0


def validation_score(dataset: Dataset, recipe: Recipe, seed: int) -> ValidationScore:
    """Fit a recipe and return its score; JobError where the dataset has nothing to validate it by."""
    if isinstance(recipe, RecentRecipe):
        return ValidationScore(_on_windows(dataset, recipe, seed))
    if not dataset.validation_E.any():
        raise JobError(f"no event of the cut is of its validation part: nothing to search {recipe.name} by")
    if not is_iterative(recipe):
        return ValidationScore(_on_later_events(dataset, recipe, seed))
    fitted = families.fit(dataset, recipe, seed=seed, device=choose_device())
    epochs = total_epochs(fitted.epochs)
    return ValidationScore(fitted.history[epochs - 1]["validation_ndcg"], epochs)


def _on_windows(dataset: Dataset, recipe: RecentRecipe, seed: int) -> float:
    model = families.fit(dataset, recipe, seed=seed).model
    if not isinstance(model, Validated) or model.validation < 0:
        raise JobError(f"{recipe.name} found no window before the cut: too few events, or events without a time")
    return model.validation


def _on_later_events(dataset: Dataset, recipe: Recipe, seed: int) -> float:
    model = families.fit(without_events(dataset, dataset.validation_E), recipe, seed=seed).model
    validation = choose_validation_set(dataset, TrainedRecipe(recipe.name, recipe.family), seed, validate=True)
    return validation.ndcg(model.score_block(validation.users))
