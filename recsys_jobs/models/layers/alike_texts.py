"""Which items' texts are alike, as a graph: constants of one dataset.

T    = D^-1/2 N D^-1/2, N the cosines of each item's nearest texts, symmetric, D its row sums

I items."""

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
    """Return T on the device; None where no neighbours are wanted or nothing has a text."""
    return pair(alike_texts(dataset, neighbours), device) if neighbours and dataset.text_present_I.any() else None


def alike_titles(dataset: Dataset, neighbours: int, device: torch.device) -> Sparse | None:
    """Return T of titles and descriptions alone: by reviews it would show a training pair its own."""
    described = replace(dataset, text_from_reviews_I=np.zeros_like(dataset.text_from_reviews_I))
    return alike(described, neighbours, device)


def alike_texts(dataset: Dataset, neighbours: int) -> sparse.csr_matrix:
    """Return T [I, I], float32; an edge stands if either end has the other among its nearest."""
    near_II = text_neighbours(unit_item_texts(dataset), neighbours, power=1.0).tocsr()
    both_II = near_II.maximum(near_II.T)
    scale_I = np.maximum(np.asarray(both_II.sum(1)).ravel(), 1e-9) ** -0.5
    scale_II = sparse.diags_array(scale_I)
    return sparse.csr_matrix(scale_II @ both_II @ scale_II).astype(np.float32)
