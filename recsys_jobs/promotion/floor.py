"""The floor of a night: the strongest, on validation, of a few simple models that know the date.

A night must publish nothing worse than the best simple model, and which model that is differs by shop. Each floor is
fitted on the cut H; the night's floor is the one with the most NDCG on the last windows before H, on which it learned
its half-lives. The holdout has no say in it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.closed_form.recipe import EaseTextRecipe
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.ranking.model import Validated
from recsys_jobs.registry.fits import Fit, exam_fit
from recsys_jobs.training.recipe import Recipe, part_recipes

log = logging.getLogger(__name__)


def strongest_floor(dataset: Dataset, settings: Settings, tags: dict[str, str]) -> Fit:
    """The exam fit of the night's floor, found or made; the first configured where validation says nothing."""
    recipes = floor_recipes(settings, len(dataset.items))
    fits = [exam_fit(dataset, recipe, settings.seed, tags) for recipe in recipes]
    for fit in fits:
        log.info("floor %-18s NDCG on validation %.4f", fit.recipe.name, validation_ndcg(fit))
    best = max(fits, key=validation_ndcg)
    log.info("the floor is %s, of %s", best.recipe.name, _names(recipes))
    return best


def validation_ndcg(fit: Fit) -> float:
    """A floor's NDCG on the last windows before its cut; below 0 where it learns nothing there."""
    return fit.model.validation if isinstance(fit.model, Validated) else -1.0


def floor_recipes(settings: Settings, items: int) -> list[Recipe]:
    """The floors of a catalogue of this size: the configured ones, sparse ones alone above `floor_max_items`."""
    floors = [get_recipe(name) for name in settings.floors]
    if items <= settings.floor_max_items:
        return floors
    sparse = [floor for floor in floors if not is_dense(floor)] or [get_recipe("text_knn_recent")]
    excluded = _names([floor for floor in floors if floor not in sparse])
    limit = settings.floor_max_items
    log.info("no floor: %s, for %d items are more than floor_max_items = %d", excluded, items, limit)
    return sparse


def is_dense(recipe: Recipe) -> bool:
    """Whether fitting takes a dense matrix of all pairs of items."""
    return isinstance(recipe, EaseTextRecipe) or any(map(is_dense, part_recipes(recipe)))


def _names(recipes: Iterable[Recipe]) -> str:
    return ", ".join(recipe.name for recipe in recipes)
