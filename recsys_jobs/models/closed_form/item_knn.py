"""Item-kNN: items that the same people had (Sarwar et al. 2001), by cosine with shrinkage.

scores = X_all W        W_ij = sum_u x_ui x_uj d_u^-a / ((d_i d_j)^(1/2) + shrinkage)

W_ij stays if i is among the nearest `neighbours` of j. X has each user's last `history` events of the core, d are
degrees in it, at least 1; X_all has every event. What stood at no one's side scores 0.

U users, I items, B block of items.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.histories import events_matrix, last_events
from recsys_jobs.models.base.item_to_item import ItemToItemModel, load
from recsys_jobs.models.closed_form.recipe import ItemKnnRecipe
from recsys_jobs.models.layers.nearest_neighbours import cosine_neighbours, query_blocks

__all__ = ["fit", "load"]


def fit(dataset: Dataset, recipe: ItemKnnRecipe) -> ItemToItemModel:
    """Return the model of a dataset, a block of items at a time."""
    train_UI = events_matrix(dataset, last_events(dataset, dataset.in_core_E, recipe.history))
    degree_U = np.maximum(np.diff(train_UI.indptr), 1)
    query_IU, item_I = train_UI.T.tocsr(), np.arange(len(dataset.items))
    among_IU = (sparse.diags_array(degree_U**-recipe.user_exponent) @ train_UI).T.tocsr()
    columns = [
        cosine_neighbours(among_IU, query_IU[block], item_I[block], recipe.neighbours, recipe.shrinkage)
        for block in query_blocks(len(item_I), len(item_I))
    ]
    weight_II = sparse.hstack(columns, format="csr")
    return ItemToItemModel(dataset, weight_II.astype(np.float32))
