"""What a training step sees: batches in random order, candidates that all share, a part of what users had.

U users, I items, N candidates, B users of one batch, P their targets, T those that are held out.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recsys_jobs.data.dataset import Ints


def batches(pairs: int, steps: int, min_batch: int, random: np.random.Generator) -> list[Ints]:
    """Return the pairs' numbers in random order, in at most `steps` batches of nearly equal size."""
    steps = max(1, min(steps, pairs // min_batch))
    return [np.asarray(batch) for batch in np.array_split(random.permutation(pairs), steps)]


def shared_candidates(pool_I: Ints, count: int, random: np.random.Generator) -> Ints:
    """Return `count` different items of a pool, all of it where it is no larger [N]."""
    if count >= len(pool_I):
        return pool_I
    return np.sort(random.choice(pool_I, count, replace=False))


def held_out(
    target_UI: sparse.csr_matrix, seen_U: Ints, user_B: Ints, share: float, random: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return a random share of each user's targets: rows of the batch [T], ascending, and items [T].

    That is at least one, and never all of the `seen_U` [U] items that a user is known by: it keeps one.
    """
    rows_BI = target_UI[user_B]
    size_B = np.diff(rows_BI.indptr)
    taken_B = np.minimum(np.maximum(np.round(share * size_B), 1), seen_U[user_B] - 1)
    row_P = np.repeat(np.arange(len(user_B)), size_B)
    order_P = np.lexsort((random.random(len(row_P)), row_P))
    chosen_T = order_P[np.arange(len(row_P)) - rows_BI.indptr[row_P] < taken_B[row_P]]
    return row_P[chosen_T], rows_BI.indices[chosen_T].astype(np.int64)
