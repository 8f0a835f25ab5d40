"""SLIM (Ning and Karypis 2011) by ridge regression over each item's nearest neighbours, as their fsSLIM chooses them.

w_j = (G_nn + lambda I)^-1 G_nj        G = X^T X        scores = X_all W

n are the `neighbours` items nearest to j by cosine; j is not among them. The loss is the squared one alone, as in EASE
(Steck 2019), of which this is the form whose columns know their neighbours only. X has each user's last `history`
events of the core; X_all has every event.

Memory is that of G's entries and of I * neighbours weights; time is I * neighbours^3 / 3 operations and the gathering
of I small matrices out of G. Both grow with the catalogue, where EASE's grow with its square and its cube.

U users, I items, B block of items, N neighbours of one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.histories import events_matrix, last_events
from recsys_jobs.models.base.item_to_item import ItemToItemModel, load
from recsys_jobs.models.layers.nearest_neighbours import cosine_neighbours, query_blocks
from recsys_jobs.models.slim.recipe import SlimRecipe

__all__ = ["fit", "load"]


def fit(dataset: Dataset, recipe: SlimRecipe) -> ItemToItemModel:
    """Return the model of a dataset, a block of items at a time."""
    train_UI = events_matrix(dataset, last_events(dataset, dataset.in_core_E, recipe.history))
    gram_II = gram(train_UI)
    history_IU, item_I = train_UI.T.tocsr(), np.arange(len(dataset.items))
    columns = []
    for block in query_blocks(len(item_I), len(item_I)):
        near_IB = cosine_neighbours(history_IU, history_IU[block], item_I[block], recipe.neighbours, shrinkage=0.0)
        columns.append(regressed(gram_II, near_IB, item_I[block], recipe.ridge))
    return ItemToItemModel(dataset, sparse.hstack(columns, format="csr").astype(np.float32))


def gram(train_UI: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return G [I, I]: how many people had both of two items."""
    gram_II = (train_UI.T @ train_UI).tocsr()
    gram_II.sort_indices()
    return gram_II


def regressed(gram_II: sparse.csr_matrix, near_IB: sparse.csc_matrix, item_B: Ints, ridge: float) -> sparse.csc_matrix:
    """Return the columns of W [I, B] of these items: their neighbours stay, with what the regression gives them."""
    weights = [
        solve(gram_II, near_IB.indices[start:end], item, ridge)
        for item, start, end in zip(item_B, near_IB.indptr[:-1], near_IB.indptr[1:], strict=True)
    ]
    values = np.concatenate([np.zeros(0), *weights])
    return sparse.csc_matrix((values, near_IB.indices, near_IB.indptr), shape=near_IB.shape)


def solve(gram_II: sparse.csr_matrix, near_N: Ints, item: int, ridge: float) -> NDArray[np.float64]:
    """Return w [N]: what each neighbour says of the item."""
    if not len(near_N):
        return np.zeros(0)
    rows_NI = gram_II[near_N]
    gram_NN = rows_NI[:, near_N].toarray()
    gram_NN[np.diag_indices_from(gram_NN)] += ridge
    together_N = rows_NI[:, [item]].toarray()[:, 0]
    weight_N: NDArray[np.float64] = linalg.solve(
        gram_NN, together_N, assume_a="pos", overwrite_a=True, check_finite=False
    )
    return weight_N
