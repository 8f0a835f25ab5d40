"""The part of an edge's weight that some events gave it. U users, I items, K edges."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_jobs.data.dataset import Dataset, Floats, Ints


def seen_weights(dataset: Dataset, all_UI: sparse.csr_matrix, seen_UI: sparse.csr_matrix) -> tuple[Floats, Floats]:
    """Return the part of each edge's weight that the seen events gave it, and how many seen users share it [K]."""
    src_K, dst_K, weight_K = dataset.edge_src_K, dataset.edge_dst_K, dataset.edge_weight_K
    seen_K = shared_users(seen_UI, src_K, dst_K)
    all_K = seen_K
    if all_UI.nnz != seen_UI.nnz:
        all_K = shared_users(all_UI, src_K, dst_K)
    seen_weight_K = weight_K * seen_K / np.maximum(all_K, 1)
    return np.where(all_K > 0, seen_weight_K, weight_K), seen_K


def shared_users(history_UI: sparse.csr_matrix, src_K: Ints, dst_K: Ints, block: int = 50_000) -> Floats:
    """Return how many users have both ends of each edge [K]; memory is bounded by the block."""
    history_IU = history_UI.T.tocsr()
    counts = [np.zeros(0)]
    for start in range(0, len(src_K), block):
        src = history_IU[src_K[start : start + block]]
        dst = history_IU[dst_K[start : start + block]]
        counts.append(np.asarray(src.multiply(dst).sum(1)).ravel())
    return np.concatenate(counts).astype(np.float32)
