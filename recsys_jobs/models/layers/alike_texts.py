"""Which items' texts are alike, as a graph: constants of one dataset.

T    = D^-1/2 N D^-1/2, N the cosines of each item's nearest texts, symmetric, D its row sums

I items.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy import sparse

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.layers.item_text import unit_item_texts
from recsys_jobs.models.layers.nearest_neighbours import text_neighbours
from recsys_jobs.models.layers.sparse import Sparse, pair


def alike(dataset: Dataset, neighbours: int, device: torch.device) -> Sparse | None:
    """Return T on the device; None where a recipe takes no neighbours or nothing has a text."""
    if not neighbours or not dataset.text_present_I.any():
        return None
    return pair(alike_texts(dataset, neighbours), device)


def alike_titles(dataset: Dataset, neighbours: int, device: torch.device) -> Sparse | None:
    """Return T of titles and descriptions alone: by reviews it would show a training pair its own."""
    no_reviews_I = np.zeros_like(dataset.text_from_reviews_I)
    titles = replace(dataset, text_from_reviews_I=no_reviews_I)
    return alike(titles, neighbours, device)


def alike_texts(dataset: Dataset, neighbours: int) -> sparse.csr_matrix:
    """Return T [I, I], float32; an edge stands if either end has the other among its nearest."""
    unit_ID = unit_item_texts(dataset)
    near_II = text_neighbours(unit_ID, neighbours, power=1.0).tocsr()
    symmetric_II = near_II.maximum(near_II.T)
    degree_I = np.asarray(symmetric_II.sum(1)).ravel()
    scale_I = np.maximum(degree_I, 1e-9) ** -0.5
    scale_II = sparse.diags_array(scale_I)
    return sparse.csr_matrix(scale_II @ symmetric_II @ scale_II).astype(np.float32)
