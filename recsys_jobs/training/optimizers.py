"""Optimizers and learning-rate schedules of the training loop, by the names that recipes give."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.training.recipe import TrainedRecipe

_MOMENTUM = 0.9  # of sgd


def make_optimizer(groups: list[dict[str, Any]], recipe: TrainedRecipe) -> torch.optim.Optimizer:
    """Return the recipe's optimizer over parameter groups, each with its `lr`; UsageError for an unknown name."""
    decay = recipe.weight_decay
    makers: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "adam": lambda: torch.optim.Adam(groups, weight_decay=decay, fused=True),
        "adamw": lambda: torch.optim.AdamW(groups, weight_decay=decay, fused=True),
        "sgd": lambda: torch.optim.SGD(groups, momentum=_MOMENTUM, weight_decay=decay, fused=True),
    }
    return _lookup(makers, recipe.optimizer, "optimizer")()


def rate_factor(recipe: TrainedRecipe, epoch: int) -> float:
    """Return what an epoch's learning rates are multiplied by, the first epoch being 1.

    The schedules that end do so at `max_epochs`, in an exam fit as in the serving fit that repeats its epochs:
    both see the same rates. UsageError for an unknown schedule.
    """
    if epoch <= recipe.warmup_epochs:
        return epoch / (recipe.warmup_epochs + 1)
    passed = epoch - 1 - recipe.warmup_epochs
    share = passed / max(1, recipe.max_epochs - recipe.warmup_epochs)
    schedules: dict[str, Callable[[], float]] = {
        "constant": lambda: 1.0,
        "exponential": lambda: recipe.learning_rate_decay**passed,
        "linear": lambda: max(0.0, 1 - share),
        "cosine": lambda: (1 + math.cos(math.pi * min(1.0, share))) / 2,
    }
    return _lookup(schedules, recipe.schedule, "schedule")()


def _lookup(known: dict[str, Callable[[], Any]], name: str, what: str) -> Callable[[], Any]:
    if name not in known:
        raise UsageError(f"unknown {what} {name!r}: name one of {', '.join(known)}")
    return known[name]
