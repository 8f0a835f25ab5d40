"""Who had what, as a matrix and as rows of last events.

U users, I items, E events, N chosen events, O owners (of reviews), L reviews kept of one owner, R events with a review.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.data.dataset import Bools, Dataset, Ints


def events_matrix(dataset: Dataset, chosen_E: Bools | None = None) -> sparse.csr_matrix:
    """Return X [U, I], float32, 1 where a user had an item; all events unless `chosen_E` picks some."""
    user_E, item_E = dataset.event_user_E, dataset.event_item_E
    if chosen_E is not None:
        user_E, item_E = user_E[chosen_E], item_E[chosen_E]
    return pair_matrix(user_E, item_E, (len(dataset.users), len(dataset.items)))


def pair_matrix(
    user_N: Ints, item_N: Ints, shape: tuple[int, int], dtype: type[np.generic] = np.float32
) -> sparse.csr_matrix:
    """Return the matrix [U, I] of this shape with 1, or True, for each pair of a user and an item."""
    ones_N = np.ones(len(user_N), dtype=dtype)
    matrix_UI = sparse.csr_matrix((ones_N, (user_N, item_N)), shape=shape)
    matrix_UI.sort_indices()
    return matrix_UI


def last_events(dataset: Dataset, chosen_E: Bools, history: int) -> Bools:
    """Return which of the chosen events are among the last `history` of their user."""
    event_N = np.flatnonzero(chosen_E)[::-1]
    event_N = event_N[np.argsort(dataset.event_user_E[event_N], kind="stable")]  # by user, the newest first
    user_N = dataset.event_user_E[event_N]
    rank_N = np.arange(len(user_N)) - np.searchsorted(user_N, user_N)
    last_E = np.zeros_like(chosen_E)
    last_E[event_N[rank_N < history]] = True
    return last_E


class Reviews(NamedTuple):
    """The last reviews of each owner, newest first, one more than stand for it: one may have to leave."""

    row_OL: Tensor  # of review_RT, -1 where there are fewer
    other_OL: Tensor  # the item that a user's review is of, the user that an item's review is by
    take: int  # how many stand for the owner


def last_reviews(owner_E: Ints, other_E: Ints, review_E: Ints, owners: int, take: int) -> Reviews:
    """Return the last take + 1 reviews of each owner; events come in their total order, -1 is no review."""
    event_R = np.flatnonzero(review_E >= 0)
    event_R = event_R[np.argsort(-owner_E[event_R], kind="stable")[::-1]]  # owners ascending, events descending
    owner_R = owner_E[event_R]
    rank_R = np.arange(len(owner_R)) - np.searchsorted(owner_R, owner_R)
    last_R = rank_R <= take
    places = owner_R[last_R], rank_R[last_R]
    event_N = event_R[last_R]
    row_OL = np.full((owners, take + 1), -1, np.int64)
    other_OL = np.full((owners, take + 1), -1, np.int64)
    row_OL[places] = review_E[event_N]
    other_OL[places] = other_E[event_N]
    return Reviews(torch.from_numpy(row_OL), torch.from_numpy(other_OL), take)
