"""The floor of a night: the strongest, on validation, of a few simple models that know the date.

What a night publishes has to be no worse than the best simple thing, and which that is differs by shop. Each floor is
fitted on the cut H; the one with the most NDCG on the last windows before H, which it learned its half-lives on, is the
night's. The holdout has no say in it.
"""

from __future__ import annotations

import logging

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
    fits = [exam_fit(dataset, recipe, settings.seed, tags) for recipe in floor_recipes(settings, len(dataset.items))]
    for fit in fits:
        log.info("floor %-18s NDCG on validation %.4f", fit.recipe.name, validation(fit))
    best = max(fits, key=validation)
    log.info("the floor is %s, of %s", best.recipe.name, ", ".join(fit.recipe.name for fit in fits))
    return best


def validation(fit: Fit) -> float:
    """A floor's NDCG on the last windows before its cut; below 0 where it learns nothing there."""
    return fit.model.validation if isinstance(fit.model, Validated) else -1.0


def floor_recipes(settings: Settings, items: int) -> list[Recipe]:
    """The floors of a catalogue of this size: the configured ones, sparse ones alone above `floor_max_items`."""
    floors = [get_recipe(name) for name in settings.floors]
    if items <= settings.floor_max_items:
        return floors
    sparse = [floor for floor in floors if not is_dense(floor)] or [get_recipe("text_knn_recent")]
    left = ", ".join(floor.name for floor in floors if floor not in sparse)
    log.info("no floor: %s, for %d items are more than floor_max_items = %d", left, items, settings.floor_max_items)
    return sparse


def is_dense(recipe: Recipe) -> bool:
    """Whether fitting takes a dense matrix of all pairs of items."""
    return isinstance(recipe, EaseTextRecipe) or any(map(is_dense, part_recipes(recipe)))
