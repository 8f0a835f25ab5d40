"""Whom a training watches: early stopping's NDCG over a seeded choice of users, full ranking.

B watched users, I items.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.training.recipe import TrainedRecipe


class Watch(NamedTuple):
    """The users that are looked at after each epoch, what they are to find, what they already have."""

    users: Tensor
    relevant: sparse.csr_matrix  # [B, I]; empty in a serving fit
    owned: sparse.csr_matrix  # [B, I]
    k: int

    def ndcg(self, score_BI: Tensor) -> float:
        """Return the mean NDCG at k, owned items left out: gain 1 / log2(rank + 1) over the best possible."""
        owned = torch.from_numpy(np.stack(self.owned.nonzero()))
        score_BI = score_BI.float().cpu().index_put((owned[0], owned[1]), torch.tensor(-torch.inf))
        best_BK = score_BI.topk(min(self.k, score_BI.shape[1])).indices.numpy()
        row_N = np.repeat(np.arange(len(best_BK)), best_BK.shape[1])
        hits_BK = np.asarray(self.relevant[row_N, best_BK.ravel()]).reshape(best_BK.shape)
        discount_K = 1 / np.log2(np.arange(2, best_BK.shape[1] + 2))
        wanted_B = np.diff(self.relevant.indptr).clip(max=best_BK.shape[1])
        return float(((hits_BK @ discount_K) / discount_K.cumsum()[wanted_B - 1]).mean())


def watch_users(dataset: Dataset, recipe: TrainedRecipe, seed: int, validate: bool) -> Watch:
    """Return at most `validation_users` of those with validation events, or of all where nothing is validated.

    The choice is random, never the lowest ids: in some data those are the easier ones.
    """
    chosen_E = dataset.validation_E if validate else np.ones_like(dataset.validation_E)
    users = np.unique(dataset.event_user_E[chosen_E])
    random = np.random.default_rng([seed, 1])
    users = np.sort(random.choice(users, min(len(users), recipe.validation_users), replace=False))
    relevant_E = dataset.validation_E if validate else np.zeros_like(dataset.validation_E)
    return Watch(
        torch.from_numpy(users),
        rows_of_users(dataset, relevant_E, users),
        rows_of_users(dataset, ~dataset.validation_E, users),
        recipe.validation_k,
    )


def rows_of_users(dataset: Dataset, chosen_E: np.ndarray, users: np.ndarray) -> sparse.csr_matrix:
    """Return which items each of these users had in the chosen events [B, I]."""
    pairs = dataset.event_user_E[chosen_E], dataset.event_item_E[chosen_E]
    shape = len(dataset.users), len(dataset.items)
    return sparse.csr_matrix((np.ones(len(pairs[0]), np.float32), pairs), shape=shape)[users]
