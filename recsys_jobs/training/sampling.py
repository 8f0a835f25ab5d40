"""What a training step sees: positives in random order, and items that the user does not own.

U users, I items, E events, P training pairs, B pairs of one batch, N candidates, G distinct users of a batch,
T targets held out of a batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Bools, Dataset, Ints


class Positives(NamedTuple):
    """Training pairs, and the pool that negatives come from."""

    user_P: Ints
    item_P: Ints
    pool_N: Ints  # items of the core, or all
    owned_keys: Ints  # sorted user * I + item of all that anyone owns, validation included
    items: int


def positives(dataset: Dataset, target_E: Bools, seen_E: Bools, whole_catalogue: bool = False) -> Positives:
    """Return the target events whose user keeps something to be known by when the pair has left.

    Users who own the whole pool give no pair: there is no negative for them. With `whole_catalogue` it has what
    nobody had as well, so that this has to lose where it does not sell.
    """
    core_items = np.unique(dataset.event_item_E[dataset.in_core_E])
    pool_N = np.arange(len(dataset.items)) if whole_catalogue else core_items
    in_pool_E = np.isin(dataset.event_item_E, pool_N)
    seen_U = np.bincount(dataset.event_user_E[seen_E], minlength=len(dataset.users))
    pool_U = np.bincount(dataset.event_user_E[in_pool_E], minlength=len(dataset.users))
    usable_U = (seen_U > 1) & (pool_U < len(pool_N))
    positive_E = target_E & usable_U[dataset.event_user_E]
    if not positive_E.any():
        raise JobError(
            f"nothing to train on: of {int(target_E.sum())} training events none is of a user with two events "
            "and an item left to compare with; lower user_core and item_core, or take a later date"
        )
    user_P, item_P = dataset.event_user_E[positive_E], dataset.event_item_E[positive_E]
    return Positives(user_P, item_P, pool_N, dataset.pair_keys(), len(dataset.items))


def batches(pairs: int, steps: int, min_batch: int, random: np.random.Generator) -> list[Ints]:
    """Return the pairs' numbers in random order, in at most `steps` batches of nearly equal size."""
    steps = max(1, min(steps, pairs // min_batch))
    return [np.asarray(batch) for batch in np.array_split(random.permutation(pairs), steps)]


def uniform_negatives(pairs: Positives, user_B: Ints, random: np.random.Generator) -> Ints:
    """Return for each user one item of the pool, uniformly among those that it does not own [B]."""
    item_B = random.choice(pairs.pool_N, len(user_B))
    rows = np.flatnonzero(_owned(pairs, user_B, item_B))
    while len(rows):
        item_B[rows] = random.choice(pairs.pool_N, len(rows))
        rows = rows[_owned(pairs, user_B[rows], item_B[rows])]
    return item_B


def _owned(pairs: Positives, user_B: Ints, item_B: Ints) -> Bools:
    key_B = user_B * pairs.items + item_B
    place_B = np.searchsorted(pairs.owned_keys, key_B)
    place_B = place_B.clip(max=len(pairs.owned_keys) - 1)
    owned_B: Bools = pairs.owned_keys[place_B] == key_B
    return owned_B


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
    count_B = np.maximum(np.round(share * size_B), 1)
    count_B = np.minimum(count_B, seen_U[user_B] - 1)
    row_N = np.repeat(np.arange(len(user_B)), size_B)
    shuffled_N = np.lexsort((random.random(len(row_N)), row_N))  # each user's targets in random order
    place_N = np.arange(len(row_N)) - rows_BI.indptr[row_N]
    chosen_T = shuffled_N[place_N < count_B[row_N]]
    return row_N[chosen_T], rows_BI.indices[chosen_T].astype(np.int64)


def owned_among(owned_UI: sparse.csr_matrix, user_B: Ints, item_N: Ints) -> Bools:
    """Return which of the candidates each user owns [B, N]."""
    column_I = np.full(owned_UI.shape[1], -1)
    column_I[item_N] = np.arange(len(item_N))
    user_G, group_B = np.unique(user_B, return_inverse=True)
    rows_GI = owned_UI[user_G]
    row = np.repeat(np.arange(len(user_G)), np.diff(rows_GI.indptr))
    column = column_I[rows_GI.indices]
    is_candidate = column >= 0
    mask_GN = np.zeros((len(user_G), len(item_N)), np.bool_)
    mask_GN[row[is_candidate], column[is_candidate]] = True
    return mask_GN[group_B]
