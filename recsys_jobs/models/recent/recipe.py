"""Recipes that know which day it is: simple models whose histories have ages, under a prior of recent popularity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recsys_jobs.models.closed_form.recipe import ease_text, image_kernel, item_cosine, text_kernel, text_knn
from recsys_jobs.training.recipe import ComposedRecipe, Recipe


@dataclass(frozen=True)
class RecentRecipe(ComposedRecipe):
    """Configuration of item-to-item models in time (see learner.py); without a part it is popularity alone.

    Half-lives are in days, and learned on the last windows before the cut, as are the prior's exponent and, from where
    the recipe puts them, the weights of the parts after the first.
    """

    part_weights: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
    history_half_lives: tuple[float, ...] = (3.0, 7.0, 14.0, 30.0, 60.0, 120.0, 0.0)  # 0: events do not age
    popularity_half_lives: tuple[float, ...] = (1.0, 3.0, 7.0, 14.0, 30.0, 90.0, 0.0)
    exponents: tuple[float, ...] = (0.0, 0.15, 0.3, 0.6, 1.0, 1.4)
    smoothing: float = 1e-3  # of the largest weight: what the prior shows those whose history says nothing
    windows: int = 3  # the last ones before the cut, each of at least `window_users`
    window_users: int = 200
    window_share: float = 0.2  # of all events that the windows may have together
    validation_users: int = 1_000  # of each window
    validation_k: int = 20


def _recent(name: str, *parts: Recipe) -> RecentRecipe:
    return RecentRecipe(name=name, family="recent", parts=tuple((1.0, part) for part in parts))


def popularity_recent() -> RecentRecipe:
    """How many people had an item of late: the same for everyone, and on some shops ahead of all that is personal."""
    return RecentRecipe(name="popularity_recent", family="recent", exponents=(1.0,))


def item_knn_recent() -> RecentRecipe:
    """Items that the same people had, by plain cosine."""
    return _recent("item_knn_recent", item_cosine())


def text_knn_recent() -> RecentRecipe:
    """Items that the same people had, or of alike text."""
    return _recent("text_knn_recent", text_knn())


def ease_text_recent() -> RecentRecipe:
    """EASE with text: its Gram matrix has no ages, which won nothing on validation; histories and the prior have."""
    return _recent("ease_text_recent", ease_text())


def multimodal_knn_recent() -> RecentRecipe:
    """Items that the same people had, items of alike text and items of alike pictures: each as far as it helps."""
    return _recent("multimodal_knn_recent", item_cosine(), text_kernel(), image_kernel())


RECIPES: dict[str, Callable[[], Recipe]] = {
    "popularity_recent": popularity_recent,
    "item_knn_recent": item_knn_recent,
    "text_knn_recent": text_knn_recent,
    "ease_text_recent": ease_text_recent,
    "multimodal_knn_recent": multimodal_knn_recent,
}
FAMILIES = {"recent": "recsys_jobs.models.recent.learner"}
