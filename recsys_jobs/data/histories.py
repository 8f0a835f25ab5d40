"""Who had what, as a matrix and as rows of last events.

U users, I items, E events, N chosen events, O owners (of reviews), L reviews kept of one owner.
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
    shape = len(dataset.users), len(dataset.items)
    matrix = sparse.csr_matrix((np.ones(len(user_E), dtype=np.float32), (user_E, item_E)), shape=shape)
    matrix.sort_indices()
    return matrix


def last_events(dataset: Dataset, chosen_E: Bools, history: int) -> Bools:
    """Return which of the chosen events are among the last `history` of their user."""
    place_N = np.flatnonzero(chosen_E)
    newest_N = place_N[::-1][np.argsort(dataset.event_user_E[place_N[::-1]], kind="stable")]  # of each user
    user_N = dataset.event_user_E[newest_N]
    age_N = np.arange(len(user_N)) - np.searchsorted(user_N, user_N)
    last_E = np.zeros_like(chosen_E)
    last_E[newest_N[age_N < history]] = True
    return last_E


class Reviews(NamedTuple):
    """The last reviews of each owner, newest first, one more than stand for it: one may have to leave."""

    row_OL: Tensor  # of review_RT, -1 where there are fewer
    other_OL: Tensor  # the item that a user's review is of, the user that an item's review is by
    take: int  # how many stand for the owner


def last_reviews(owner_E: Ints, other_E: Ints, review_E: Ints, owners: int, take: int) -> Reviews:
    """Return the last take + 1 reviews of each owner; events come in their total order, -1 is no review."""
    kept = np.flatnonzero(review_E >= 0)
    newest_first = kept[np.argsort(-owner_E[kept], kind="stable")[::-1]]  # owners ascending, events descending
    owner = owner_E[newest_first]
    position = np.arange(len(owner)) - np.searchsorted(owner, owner)
    chosen = position <= take
    row_OL = np.full((owners, take + 1), -1, np.int64)
    other_OL = np.full((owners, take + 1), -1, np.int64)
    row_OL[owner[chosen], position[chosen]] = review_E[newest_first[chosen]]
    other_OL[owner[chosen], position[chosen]] = other_E[newest_first[chosen]]
    return Reviews(torch.from_numpy(row_OL), torch.from_numpy(other_OL), take)
