"""Recipes of the graph model that knows which day it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recsys_jobs.models.sage_softmax.recipe import SageGraphRecipe
from recsys_jobs.training.recipe import Recipe


@dataclass(frozen=True)
class SageRecentRecipe(SageGraphRecipe):
    """Configuration of the graph model whose steps stand on past days (see learner.py); days throughout."""

    history_half_lives: tuple[float, ...] = (3.0, 14.0, 60.0, 0.0)  # mixed as learned; 0: events do not age
    popularity_half_lives: tuple[float, ...] = (1.0, 3.0, 7.0, 14.0, 30.0, 90.0, 0.0)  # weighed as learned
    time_learning_rate: float = 0.03  # of these weights
    recent_share: float = 0.4  # of all events, the last, which are asked for
    least_recent: int = 20_000  # so many are asked for where the share is less, for a small shop has few to learn from
    most_recent_share: float = 0.9  # what comes before is only known, for something has to be
    history_dropout: float = 0.3  # share of a history that a step does not see
    most_users: int = 1_500  # that one step asks
    windows: int = 3  # the last ones before the cut, each of at least `window_users`: what an exam fit stops early by
    window_users: int = 200
    window_share: float = 0.2  # of all events that the windows may have together


def sage_fm_recent() -> SageRecentRecipe:
    """The graph model that knows which day it is."""
    return SageRecentRecipe(
        name="sage_fm_recent",
        family="sage_fm_recent",
        centred_images=True,
        learning_rate=5e-3,
        schedule="linear",
        clip_norm=10.0,
        steps_per_epoch=36,
        max_epochs=10,
        patience=10,  # a validation of some hundred people is flat for epochs after which the model still gains
        validation_users=6_000,
    )


RECIPES: dict[str, Callable[[], Recipe]] = {"sage_fm_recent": sage_fm_recent}
FAMILIES = {"sage_fm_recent": "recsys_jobs.models.sage_recent.learner"}
