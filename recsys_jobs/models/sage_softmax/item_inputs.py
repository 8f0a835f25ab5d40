"""What an item is known by before any graph: its contents as constants of one dataset.

F_ig = log(I / n_g) where item i has term g, rows of length one        n_g items that have g

I items, G terms, P pairs of an item and a term, T text width, V image width, W either of these, C content width.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from recsys_jobs.data.dataset import Bools, Dataset, Floats, Ints
from recsys_jobs.models.layers.alike_texts import alike
from recsys_jobs.models.layers.sparse import Sparse, pair
from recsys_jobs.models.sage_softmax.recipe import SageGraphRecipe


class ItemInputs(NamedTuple):
    """Sparse terms, dense contents of length one (zero rows where there is none), and which texts are alike."""

    term_IG: Sparse
    content_IC: Tensor
    alike_II: Sparse | None


def item_inputs(dataset: Dataset, term_G: Ints, recipe: SageGraphRecipe, device: torch.device) -> ItemInputs:
    """Return a dataset's inputs, its terms in the order of `term_G`; terms beside these are left out."""
    text_IT = _unit_rows(dataset.text_IT, dataset.text_present_I)
    # an image encoder's vectors share a direction far longer than the rest; what texts share is worth more than noise
    image_IV = _unit_rows(dataset.image_IV, dataset.image_present_I, recipe.centred_images)
    content_IC = torch.from_numpy(np.concatenate([text_IT, image_IV], axis=1))
    terms = pair(weighted_terms(dataset, term_G), device)
    return ItemInputs(terms, content_IC.to(device), alike(dataset, recipe.text_neighbours, device))


def _unit_rows(row_IW: Floats, present_I: Bools, centred: bool = False) -> Floats:
    """Return rows of length one, zeros where nothing is present; centred, less the mean of what is."""
    if centred and present_I.any():
        row_IW = row_IW - row_IW[present_I].mean(0)
    row_IW = row_IW * present_I[:, None]
    unit_IW: Floats = functional.normalize(torch.from_numpy(row_IW), dim=1, eps=1e-6).numpy()
    return unit_IW


def weighted_terms(dataset: Dataset, term_G: Ints) -> sparse.csr_matrix:
    """Return F [I, G], float32."""
    known_P = np.isin(dataset.term_P, term_G)
    item_P = dataset.term_item_P[known_P]
    column_P = np.searchsorted(term_G, dataset.term_P[known_P])
    items = len(dataset.items)
    count_G = np.maximum(np.bincount(column_P, minlength=len(term_G)), 1)
    value_P = np.log(items / count_G)[column_P]
    length_I = np.sqrt(np.bincount(item_P, value_P**2, minlength=items))
    value_P = (value_P / np.maximum(length_I[item_P], 1e-9)).astype(np.float32)
    return sparse.csr_matrix((value_P, (item_P, column_P)), shape=(items, len(term_G)))
