"""Models that are one sparse item-to-item matrix W: a user's scores are the sum of its items' rows, X W.

Kept with the items' ids, so that W serves a later dataset: items that it does not know have empty rows.

U users, I items, B block of users or items, N items of one user or of stored weights, W entries of a sparse matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.models.base import id_rows
from recsys_jobs.ranking.model import Factors


class ItemToItemModel:
    """A fitted item-to-item model (the contract of ranking/model.py, and `similar_block`)."""

    def __init__(self, dataset: Dataset, weight_II: sparse.csr_matrix) -> None:
        self.history_UI = events_matrix(dataset)
        self.ids = dataset.items
        self.weight_II = weight_II
        self.items = weight_II.shape[0]

    def score_block(self, user_B: Tensor) -> Tensor:
        """Return the scores [B, I] of users by everything they had; 0 where nothing is known."""
        return torch.from_numpy((self.history_UI[user_B.numpy()] @ self.weight_II).toarray())

    def similar_block(self, item_B: Tensor) -> Tensor:
        """Return what each of these items alone says of all items [B, I]."""
        return torch.from_numpy(self.weight_II[item_B.numpy()].toarray())

    def history_terms(self, user: int, item: int) -> dict[int, float]:
        """Return what each item that a user had adds to its score of `item`; those that add nothing are left out."""
        item_N = self.history_UI[[user]].indices
        value_N = self.weight_II[item_N][:, [item]].toarray()[:, 0].astype(np.float64)
        terms = zip(item_N.tolist(), value_N.tolist(), strict=True)
        return {history_item: value for history_item, value in terms if value}

    def factors(self) -> Factors | None:
        """None: W has full rank, and a truncated one costs a tenth of the recall."""
        return None

    def item_vectors(self) -> Tensor | None:
        """None: see `similar_block`."""
        return None

    def weights(self) -> dict[str, Tensor]:
        """Return W as CSR, and the ids of its items."""
        return csr_tensors(self.weight_II) | {"items.names": id_rows.pack(self.ids)}


def csr_tensors(matrix: sparse.csr_matrix) -> dict[str, Tensor]:
    """Return a matrix [I, I] as pointers [I + 1], columns [W], values [W]."""
    return {
        "pointers": torch.from_numpy(matrix.indptr.astype(np.int64)),
        "columns": torch.from_numpy(matrix.indices.astype(np.int32)),  # a third less to keep
        "values": torch.from_numpy(matrix.data.astype(np.float32)),
    }


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: Any) -> ItemToItemModel:
    """Return the model of `weights` over a dataset: its own, or a later one with more users and items.

    JobError where they are kept without ids, as they once were, and are of another dataset.
    """
    stored_ids = id_rows.unpack(weights["items.names"]) if "items.names" in weights else dataset.items
    if len(weights["pointers"]) != len(stored_ids) + 1:
        items = len(weights["pointers"]) - 1
        raise JobError(f"the weights of {recipe.name} are for {items} items, not {len(stored_ids)}: fit it again")
    csr = tuple(weights[name].numpy() for name in ("values", "columns", "pointers"))
    weight_NN = sparse.csr_matrix(csr, shape=(len(stored_ids), len(stored_ids)))
    if stored_ids == dataset.items:
        return ItemToItemModel(dataset, weight_NN)
    return ItemToItemModel(dataset, _moved(weight_NN, stored_ids, dataset.items))


def _moved(weight_NN: sparse.csr_matrix, stored_ids: list[str], ids: list[str]) -> sparse.csr_matrix:
    """Return W for other items: rows and columns by id, empty for those that it does not know."""
    new_row_N = id_rows.rows_of(ids, stored_ids)
    entries = weight_NN.tocoo()
    row_W, column_W = new_row_N[entries.row], new_row_N[entries.col]
    stays_W = (row_W >= 0) & (column_W >= 0)
    places = row_W[stays_W], column_W[stays_W]
    return sparse.csr_matrix((entries.data[stays_W], places), shape=(len(ids), len(ids)))
