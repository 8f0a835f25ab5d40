"""The part of an edge's weight that some events gave it. U users, I items, K edges."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_jobs.data.dataset import Dataset, Floats, Ints


def seen_weights(dataset: Dataset, all_UI: sparse.csr_matrix, seen_UI: sparse.csr_matrix) -> tuple[Floats, Floats]:
    """Return the part of each edge's weight that the seen events gave it, and how many seen users share it [K]."""
    shared_K = shared_users(seen_UI, dataset.edge_src_K, dataset.edge_dst_K)
    before_K = shared_K
    if all_UI.nnz != seen_UI.nnz:
        before_K = shared_users(all_UI, dataset.edge_src_K, dataset.edge_dst_K)
    weight_K = dataset.edge_weight_K
    return np.where(before_K > 0, weight_K * shared_K / np.maximum(before_K, 1), weight_K), shared_K


def shared_users(history_UI: sparse.csr_matrix, src: Ints, dst: Ints, block: int = 50_000) -> Floats:
    """Return how many users have both ends of each edge [K]; memory is bounded by the block."""
    history_IU = history_UI.T.tocsr()
    counts = [
        np.asarray(history_IU[src[at : at + block]].multiply(history_IU[dst[at : at + block]]).sum(1)).ravel()
        for at in range(0, len(src), block)
    ]
    return np.concatenate([np.zeros(0), *counts]).astype(np.float32)
