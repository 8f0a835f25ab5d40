"""Co-review edges of a data set's train events, by sparse products.

E events in their total order, K edges, U users, I items, N directed edges, D those of them that stay.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_jobs.data.dataset import Floats, Ints
from recsys_jobs.data.histories import pair_matrix
from recsys_jobs.data.split_protocols import positions_in_group


def co_review_edges(user_E: Ints, item_E: Ints, items: int, history: int, per_item: int) -> tuple[Ints, Ints, Floats]:
    """Return src, dst (src < dst) and weight [K]: how many people have both among their last `history`.

    An edge stays if it is among the `per_item` strongest of either end, ties by item.
    """
    position_E, size_E = positions_in_group(user_E)
    last_E = position_E >= size_E - history
    shape = int(user_E.max(initial=-1)) + 1, items
    had_UI = pair_matrix(user_E[last_E], item_E[last_E], shape)
    shared_II = sparse.csr_matrix(had_UI.T @ had_UI)
    shared_II.setdiag(0)
    shared_II.eliminate_zeros()
    row_N = np.repeat(np.arange(items), np.diff(shared_II.indptr))
    order_N = np.lexsort((shared_II.indices, -shared_II.data, row_N))  # each item's edges, the strongest first
    rank_N = np.arange(len(order_N)) - shared_II.indptr[row_N[order_N]]
    strong_D = order_N[rank_N < per_item]
    end_2D = np.stack([row_N[strong_D], shared_II.indices[strong_D].astype(np.int64)])
    src_D, dst_D = np.sort(end_2D, axis=0)
    key_K, first_K = np.unique(src_D * items + dst_D, return_index=True)
    return key_K // items, key_K % items, shared_II.data[strong_D][first_K]
