"""How many users had an item before the cut: the same scores for everyone. U users, I items, B block of users."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.ranking.model import Factors


class PopularityModel:
    """Counts as scores (the contract of ranking/model.py)."""

    def __init__(self, users_I: Tensor) -> None:
        self.users_I = users_I

    def score_block(self, user_B: Tensor) -> Tensor:
        """Return how many users had each item [B, I], float32."""
        return self.users_I.expand(len(user_B), -1)

    def factors(self) -> Factors | None:
        """None: it would fold, but counts tie, and a search by inner product gains nothing from ties."""
        return None

    def item_vectors(self) -> Tensor | None:
        """None: popularity does not say what is alike."""
        return None

    def weights(self) -> dict[str, Tensor]:
        """Return the counts [I]."""
        return {"users": self.users_I}


def fit(dataset: Dataset, recipe: Any = None) -> PopularityModel:
    """Return the model of a dataset: every event counts, of the core or not."""
    users_I = np.bincount(dataset.event_item_E, minlength=len(dataset.items))
    return PopularityModel(torch.from_numpy(users_I.astype(np.float32)))


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: Any = None) -> PopularityModel:
    """Return the model of `weights`."""
    return PopularityModel(weights["users"])
