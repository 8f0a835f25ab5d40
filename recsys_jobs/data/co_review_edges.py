"""Co-review edges of a data set's train events: reference.co_review_edges by sparse products, for many events.

E events in their total order, K edges, I items.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_jobs.data.dataset import Floats, Ints
from recsys_jobs.data.split_protocols import places


def co_review_edges(user_E: Ints, item_E: Ints, items: int, history: int, per_item: int) -> tuple[Ints, Ints, Floats]:
    """Return src, dst (src < dst) and weight [K]: how many people have both among their last `history`.

    An edge stays if it is among the `per_item` strongest of either end, ties by item.
    """
    place_E, size_E = places(user_E)
    last_E = place_E >= size_E - history
    had = np.ones(int(last_E.sum()), np.float32)
    shape = int(user_E.max(initial=-1)) + 1, items
    had_UI = sparse.csr_matrix((had, (user_E[last_E], item_E[last_E])), shape=shape)
    shared_II = sparse.csr_matrix(had_UI.T @ had_UI)
    shared_II.setdiag(0)
    shared_II.eliminate_zeros()
    row = np.repeat(np.arange(items), np.diff(shared_II.indptr))
    order = np.lexsort((shared_II.indices, -shared_II.data, row))
    kept = order[np.arange(len(order)) - shared_II.indptr[row[order]] < per_item]
    ends = np.sort(np.stack([row[kept], shared_II.indices[kept].astype(np.int64)]), axis=0)
    key, first = np.unique(ends[0] * items + ends[1], return_index=True)
    return key // items, key % items, shared_II.data[kept][first]
