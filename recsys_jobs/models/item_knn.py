"""Item-kNN: items that the same people had (Sarwar et al. 2001), by cosine with shrinkage.

scores = X_all W        W_ij = the cosine of items i and j, if i is among the nearest `neighbours` of j

The cosine is that of the columns of X, each user's last `history` events of the core; X_all has every
event. What stood at no one's side scores 0. U users, I items, B block of items.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_jobs.dataset import Dataset
from recsys_jobs.models.item_to_item import ItemToItemModel, events_matrix, last_events, load
from recsys_jobs.models.neighbours import cosine_neighbours, query_blocks
from recsys_jobs.recipes import ItemKnnRecipe

__all__ = ["fit", "load"]


def fit(dataset: Dataset, recipe: ItemKnnRecipe) -> ItemToItemModel:
    """Return the model of a dataset, a block of items at a time."""
    train_IU = events_matrix(dataset, last_events(dataset, dataset.in_core_E, recipe.history)).T.tocsr()
    item_I = np.arange(len(dataset.items))
    columns = [
        cosine_neighbours(train_IU, train_IU[block], item_I[block], recipe.neighbours, recipe.shrinkage)
        for block in query_blocks(len(item_I), len(item_I))
    ]
    weight_II = sparse.hstack(columns, format="csr")
    return ItemToItemModel(dataset, weight_II.astype(np.float32))
