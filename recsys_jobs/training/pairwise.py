"""Learning from pairs of a user and an item it had: their batches, and the items that they are compared with.

U users, I items, P training pairs, B pairs of one batch, N candidates, G users of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Bools, Dataset, Ints
from recsys_jobs.torch_common import losses
from recsys_jobs.training.sampling import batches


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
    pool_N = np.arange(len(dataset.items)) if whole_catalogue else np.unique(dataset.event_item_E[dataset.in_core_E])
    in_pool_E = np.isin(dataset.event_item_E, pool_N)
    seen_U = np.bincount(dataset.event_user_E[seen_E], minlength=len(dataset.users))
    pool_U = np.bincount(dataset.event_user_E[in_pool_E], minlength=len(dataset.users))
    usable_U = (seen_U > 1) & (pool_U < len(pool_N))
    kept_E = target_E & usable_U[dataset.event_user_E]
    if not kept_E.any():
        raise JobError(
            f"nothing to train on: of {int(target_E.sum())} training events none is of a user with two events "
            "and an item left to compare with; lower user_core and item_core, or take a later date"
        )
    return Positives(
        dataset.event_user_E[kept_E], dataset.event_item_E[kept_E], pool_N, dataset.pair_keys(), len(dataset.items)
    )


def pair_batches(
    pairs: Positives, steps: int, min_batch: int, random: np.random.Generator
) -> Iterator[tuple[Ints, Ints]]:
    """Yield the users and the items of all pairs in random order, in at most `steps` batches (see `batches`)."""
    for batch in batches(len(pairs.user_P), steps, min_batch, random):
        yield pairs.user_P[batch], pairs.item_P[batch]


def uniform_negatives(pairs: Positives, user_B: Ints, random: np.random.Generator) -> Ints:
    """Return for each user one item of the pool, uniformly among those that it does not own [B]."""
    item_B = random.choice(pairs.pool_N, len(user_B))
    wrong = np.flatnonzero(_owned(pairs, user_B, item_B))
    while len(wrong):
        item_B[wrong] = random.choice(pairs.pool_N, len(wrong))
        wrong = wrong[_owned(pairs, user_B[wrong], item_B[wrong])]
    return item_B


def _owned(pairs: Positives, user_B: Ints, item_B: Ints) -> Bools:
    wanted = user_B * pairs.items + item_B
    place = np.searchsorted(pairs.owned_keys, wanted).clip(max=len(pairs.owned_keys) - 1)
    owned: Bools = pairs.owned_keys[place] == wanted
    return owned


def owned_among(owned_UI: sparse.csr_matrix, user_B: Ints, item_N: Ints) -> Bools:
    """Return which of the candidates each user owns [B, N]."""
    column_I = np.full(owned_UI.shape[1], -1)
    column_I[item_N] = np.arange(len(item_N))
    user_G, group_B = np.unique(user_B, return_inverse=True)
    rows_GI = owned_UI[user_G]
    row = np.repeat(np.arange(len(user_G)), np.diff(rows_GI.indptr))
    column = column_I[rows_GI.indices]
    mask_GN = np.zeros((len(user_G), len(item_N)), np.bool_)
    mask_GN[row[column >= 0], column[column >= 0]] = True
    return mask_GN[group_B]


def shared_softmax(
    positive_B: Tensor, score_BN: Tensor, owned_UI: sparse.csr_matrix, user_B: Ints, item_N: Ints, pool: int
) -> Tensor:
    """Return the loss of pairs among candidates that they share, out of a pool; what a user owns is no negative."""
    owned_BN = torch.from_numpy(owned_among(owned_UI, user_B, item_N)).to(score_BN.device)
    return losses.sampled_softmax(positive_B, score_BN, owned_BN, pool)
