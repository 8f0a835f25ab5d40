"""User-kNN: what the people had who had the same things (Resnick et al. 1994), by cosine with shrinkage.

score(u, i) = sum of s_uv x_vi over the `neighbours` nearest users v, itself apart

Resnick's equation for events without ratings: there is no mean to subtract, and to divide by the sum of
s changes no ranking. The neighbours are known by their events of the core, whoever is asked about by
all that it had: so a user who came after the fit, or without events of the core, is scored by its
history. What is learned is remembered events; likeness is worked out for each block of users.

U users, I items, E remembered events, B block of users, N users who may be neighbours.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.closed_form.recipe import UserKnnRecipe
from recsys_jobs.models.layers.nearest_neighbours import cosine_neighbours, query_blocks
from recsys_jobs.ranking.model import Factors


class UserKnnModel:
    """Remembered users over a dataset (the contract of ranking/model.py)."""

    def __init__(
        self, remembered_NI: sparse.csr_matrix, name_N: list[str], dataset: Dataset, recipe: UserKnnRecipe
    ) -> None:
        self.remembered_NI, self.name_N = remembered_NI, name_N
        self.items = dataset.items
        self.history_UI = events_matrix(dataset)
        self.itself_U = id_rows.rows_of(name_N, dataset.users)
        self.recipe = recipe

    def score_block(self, user_B: Tensor) -> Tensor:
        """Return the scores [B, I]; 0 where no neighbour had the item."""
        user_row_B = user_B.numpy()
        blocks = query_blocks(len(user_row_B), len(self.name_N))
        none_0I = np.zeros((0, len(self.items)), np.float32)
        scores = [self._scores(user_row_B[block]) for block in blocks]
        return torch.from_numpy(np.concatenate([none_0I, *scores]))

    def _scores(self, user_B: Ints) -> np.ndarray:
        likeness_NB = cosine_neighbours(
            self.remembered_NI,
            self.history_UI[user_B],
            self.itself_U[user_B],
            self.recipe.neighbours,
            self.recipe.shrinkage,
        )
        scores: np.ndarray = (likeness_NB.T @ self.remembered_NI).toarray()
        return scores

    def factors(self) -> Factors | None:
        """None: scores of neighbours do not fold."""
        return None

    def item_vectors(self) -> Tensor | None:
        """None: it knows which users are alike, not which items."""
        return None

    def weights(self) -> dict[str, Tensor]:
        """Return the remembered events as CSR, pointers [N + 1] and columns, and whose and of what they are."""
        return {
            "pointers": torch.from_numpy(self.remembered_NI.indptr.astype(np.int64)),
            "columns": torch.from_numpy(self.remembered_NI.indices.astype(np.int64)),
            "users.names": id_rows.pack(self.name_N),
            "items.names": id_rows.pack(self.items),
        }


def fit(dataset: Dataset, recipe: UserKnnRecipe) -> UserKnnModel:
    """Return the model that remembers the core of a dataset."""
    return UserKnnModel(events_matrix(dataset, dataset.in_core_E), dataset.users, dataset, recipe)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: UserKnnRecipe) -> UserKnnModel:
    """Return the model of `weights` over a dataset: its own, or a later one with more users and items."""
    pointers = weights["pointers"].numpy()
    column_I = id_rows.rows_of(dataset.items, id_rows.unpack(weights["items.names"]))
    row_E = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
    item_E = column_I[weights["columns"].numpy()]
    known_E = item_E >= 0
    ones = np.ones(int(known_E.sum()), np.float32)
    shape = len(pointers) - 1, len(dataset.items)
    remembered_NI = sparse.csr_matrix((ones, (row_E[known_E], item_E[known_E])), shape=shape)
    remembered_NI.sort_indices()
    return UserKnnModel(remembered_NI, id_rows.unpack(weights["users.names"]), dataset, recipe)
