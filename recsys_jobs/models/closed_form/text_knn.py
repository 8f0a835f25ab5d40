"""The floor of a catalogue too large for `ease_text`: sparse item neighbours by text and by co-reviews.

W = C + beta N        C_ij = sum_u x_ui x_uj d_u^-a / (d_i d_j)^(1/2)        N_ij = max(m_i . m_j, 0)^power
W_ij is scaled by d_j^b        scores = X_all W

X has the last `history` core events of each user, d are degrees in it, at least 1; m are the items'
text vectors, or their images' (see item_text). Of each column of C and of N the `neighbours` largest entries stay, and
beta makes their sums stand in the ratio `text_weight`. Memory is that of I * neighbours entries and one
block of columns; time that of the users' squared histories and of one nearest-neighbour search by text.

U users, I items, E events, N stored entries, D width, B block of items.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.data.histories import events_matrix, last_events
from recsys_jobs.models.base.item_to_item import ItemToItemModel, load
from recsys_jobs.models.closed_form.recipe import TextKnnRecipe
from recsys_jobs.models.layers.item_text import unit_item_images, unit_item_texts
from recsys_jobs.models.layers.nearest_neighbours import largest_of_columns, text_neighbours

__all__ = ["fit", "load"]
_BLOCK = 8_192  # items


def fit(dataset: Dataset, recipe: TextKnnRecipe, *, train_E: Bools | None = None) -> ItemToItemModel:
    """Return the model fitted on the events `train_E`, on the whole core unless given."""
    train_E = dataset.in_core_E if train_E is None else train_E
    train_UI = events_matrix(dataset, last_events(dataset, train_E, recipe.history))
    items = len(dataset.items)
    co_review_II = co_review_neighbours(train_UI, recipe) if recipe.co_reviews else sparse.csc_matrix((items, items))
    unit_ID = unit_item_images(dataset) if recipe.modality == "image" else unit_item_texts(dataset)
    text_II = text_neighbours(unit_ID, recipe.neighbours, recipe.text_power)
    if co_review_II.sum() > 0 and text_II.sum() > 0:
        text_II *= recipe.text_weight * co_review_II.sum() / text_II.sum()
    degree_I = np.maximum(np.bincount(train_UI.indices, minlength=train_UI.shape[1]), 1)
    weight_II = (co_review_II + text_II) @ sparse.diags_array(degree_I**recipe.item_exponent)
    return ItemToItemModel(dataset, weight_II.tocsr().astype(np.float32))


def co_review_neighbours(train_UI: sparse.csr_matrix, recipe: TextKnnRecipe) -> sparse.csc_matrix:
    """Return C with the largest entries of each column, a block of columns at a time."""
    degree_U = np.maximum(np.diff(train_UI.indptr), 1)
    degree_I = np.maximum(np.bincount(train_UI.indices, minlength=train_UI.shape[1]), 1)
    scaled_UI = train_UI @ sparse.diags_array(degree_I**-0.5)
    by_item_IU = (sparse.diags_array(degree_U**-recipe.user_exponent) @ scaled_UI).T.tocsr()
    column_UI = scaled_UI.tocsc()
    blocks = []
    for start in range(0, train_UI.shape[1], _BLOCK):
        co_review_IB = (by_item_IU @ column_UI[:, start : start + _BLOCK]).tocoo()
        other_N = co_review_IB.row != co_review_IB.col + start
        blocks.append(largest_of_columns(co_review_IB, other_N, recipe.neighbours))
    return sparse.hstack(blocks, format="csc")
