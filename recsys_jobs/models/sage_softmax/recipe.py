"""Recipes of the graph model under a softmax over the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recsys_jobs.training.recipe import Recipe, TrainedRecipe


@dataclass(frozen=True)
class SageGraphRecipe(TrainedRecipe):
    """What the graph models that learn from a softmax over all items have in common."""

    width: int = 128
    layers: int = 1  # over the co-review graph
    text_neighbours: int = 10  # of each item in the graph of alike texts; 0 is none
    temperature: float = 0.12
    start_scale: float = 0.02  # standard deviation at the start of all that is learned
    centred_images: bool = False  # pictures enter less their mean, which says the same of all items
    steps_per_epoch: int = 70


@dataclass(frozen=True)
class SageSoftmaxRecipe(SageGraphRecipe):
    """Configuration of the graph model whose steps hide items at random (models/sage_softmax/learner.py)."""

    held_out: float = 0.3  # share of a user's items that a step asks for and hides at once
    whole_catalogue: bool = False  # the softmax is over all items, not over those alone that somebody had
    min_batch: int = 64  # users; small data takes fewer steps


def sage_fm_softmax() -> SageSoftmaxRecipe:
    """The graph model for data of identifiers and short texts."""
    return SageSoftmaxRecipe(
        name="sage_fm_softmax",
        family="sage_fm_softmax",
        learning_rate=2e-2,
        schedule="linear",
        warmup_epochs=1,
        clip_norm=10.0,
        whole_catalogue=True,
        max_epochs=6,
        validation_users=6_000,
    )


RECIPES: dict[str, Callable[[], Recipe]] = {"sage_fm_softmax": sage_fm_softmax}
FAMILIES = {"sage_fm_softmax": "recsys_jobs.models.sage_softmax.learner"}
