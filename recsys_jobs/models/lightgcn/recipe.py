"""Recipes of LightGCN, and of matrix factorization by BPR, which is LightGCN of no layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from recsys_jobs.training.recipe import Recipe, TrainedRecipe


@dataclass(frozen=True)
class LightGCNRecipe(TrainedRecipe):
    """Configuration of LightGCN and of matrix factorisation (see network.py); the defaults are LightGCN's own."""

    width: int = 64
    layers: int = 3  # of the graph; 0 is matrix factorisation
    start_scale: float = 0.1  # standard deviation of a node's vector at the start
    l2: float = 1e-4
    steps_per_epoch: int = 24  # the whole graph is propagated at each
    min_batch: int = 256  # pairs; small data takes fewer steps


def lightgcn() -> LightGCNRecipe:
    """LightGCN in fewer, larger steps than its authors', with the penalty that these ask for."""
    return LightGCNRecipe(name="lightgcn", family="lightgcn", learning_rate=1e-2, l2=1e-2, max_epochs=100, patience=8)


def bpr_mf() -> LightGCNRecipe:
    """Matrix factorisation by BPR: no layer smooths it, so that its penalty has to."""
    return replace(lightgcn(), name="bpr_mf", layers=0, learning_rate=5e-3, l2=0.1)


RECIPES: dict[str, Callable[[], Recipe]] = {"bpr_mf": bpr_mf, "lightgcn": lightgcn}
FAMILIES = {"lightgcn": "recsys_jobs.models.lightgcn.learner"}
