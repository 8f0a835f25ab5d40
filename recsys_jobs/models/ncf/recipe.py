"""Recipes of neural collaborative filtering of ratings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recsys_jobs.training.recipe import Recipe, TrainedRecipe


@dataclass(frozen=True)
class NcfRecipe(TrainedRecipe):
    """Configuration of the rating regression (see models/ncf/network.py); the defaults are the seed's."""

    width: int = 64  # of users, movies, and the projections of title and genres
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.2
    start_scale: float = 0.1  # standard deviation of a user's or movie's vector at the start
    batch: int = 1_024  # rated pairs


def ncf_rating() -> NcfRecipe:
    """Stars from user, movie, title and genres."""
    return NcfRecipe(
        name="ncf_rating",
        family="ncf",
        weight_decay=1e-5,
        stop_by="validation_loss",
        max_epochs=30,
        patience=3,
        validation_users=500,  # their slates are shown beside the loss, and every pair goes through the layers
    )


RECIPES: dict[str, Callable[[], Recipe]] = {"ncf_rating": ncf_rating}
FAMILIES = {"ncf": "recsys_jobs.models.ncf.learner"}
