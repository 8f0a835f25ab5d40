"""Recipe of SLIM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recsys_jobs.training.recipe import Recipe


@dataclass(frozen=True)
class SlimRecipe(Recipe):
    """Configuration of SLIM over each item's neighbours (see learner.py for the equation)."""

    neighbours: int = 200  # items that an item is regressed on
    ridge: float = 100.0  # lambda
    history: int = 200  # last events of a user that count: cost, not meaning


def slim() -> SlimRecipe:
    """EASE for a catalogue of any size: each item is regressed on its neighbours alone."""
    return SlimRecipe(name="slim", family="slim")


RECIPES: dict[str, Callable[[], Recipe]] = {"slim": slim}
FAMILIES = {"slim": "recsys_jobs.models.slim.learner"}
