"""Early stopping's NDCG at K, full ranking, over a seeded choice of users.

B validation users, I items, E events, K places of a slate, N = B x K places in one row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.training.recipe import TrainedRecipe


class ValidationSet(NamedTuple):
    """The users that each epoch is validated on, the items they took next, the items they already have."""

    users: Tensor
    relevant: sparse.csr_matrix  # [B, I]; empty in a serving fit
    owned: sparse.csr_matrix  # [B, I]
    k: int

    def ndcg(self, score_BI: Tensor) -> float:
        """Return the mean NDCG at k, owned items left out: gain 1 / log2(rank + 1) over the best possible."""
        owned = torch.from_numpy(np.stack(self.owned.nonzero()))
        score_BI = score_BI.float().cpu().index_put((owned[0], owned[1]), torch.tensor(-torch.inf))
        k = min(self.k, score_BI.shape[1])
        item_BK = score_BI.topk(k).indices.numpy()
        row_N = np.repeat(np.arange(len(item_BK)), k)
        hit_BK = np.asarray(self.relevant[row_N, item_BK.ravel()]).reshape(item_BK.shape)
        discount_K = 1 / np.log2(np.arange(2, k + 2))
        gain_B = hit_BK @ discount_K
        relevant_B = np.diff(self.relevant.indptr).clip(max=k)
        ideal_B = discount_K.cumsum()[relevant_B - 1]
        return float((gain_B / ideal_B).mean())


def choose_validation_set(dataset: Dataset, recipe: TrainedRecipe, seed: int, validate: bool) -> ValidationSet:
    """Return at most `validation_users` of those with validation events, or of all where nothing is validated.

    The choice is random, never the lowest ids: in some data those are the easier ones.
    """
    validation_E = dataset.validation_E
    candidate_E = validation_E if validate else np.ones_like(validation_E)
    candidates = np.unique(dataset.event_user_E[candidate_E])
    count = min(len(candidates), recipe.validation_users)
    random = np.random.default_rng([seed, 1])
    users = np.sort(random.choice(candidates, count, replace=False))
    relevant_E = validation_E if validate else np.zeros_like(validation_E)
    return ValidationSet(
        torch.from_numpy(users),
        rows_of_users(dataset, relevant_E, users),
        rows_of_users(dataset, ~validation_E, users),
        recipe.validation_k,
    )


def rows_of_users(dataset: Dataset, chosen_E: np.ndarray, users: np.ndarray) -> sparse.csr_matrix:
    """Return which items each of these users had in the chosen events [B, I]."""
    return events_matrix(dataset, chosen_E)[users]
