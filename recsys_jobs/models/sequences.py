"""What each user had in the order of events, and its last part as a padded batch.

U users, I items, E events, B batch of users, L places of a batch, N sequences.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recsys_jobs.dataset import Bools, Dataset, Ints


class Sequences(NamedTuple):
    """Users' items one after another, each user's in the order of events."""

    item_E: Ints
    start_U: Ints  # where each user's items begin in item_E
    length_U: Ints


def sequences(dataset: Dataset, chosen_E: Bools, known_I: Bools | None = None) -> Sequences:
    """Return the sequences of the chosen events, of known items alone where these are given."""
    if known_I is not None:
        chosen_E = chosen_E & known_I[dataset.event_item_E]
    user_E = dataset.event_user_E[chosen_E]
    length_U = np.bincount(user_E, minlength=len(dataset.users))
    item_E = dataset.event_item_E[chosen_E][np.argsort(user_E, kind="stable")]
    return Sequences(item_E, length_U.cumsum() - length_U, length_U)


def last_items(found: Sequences, user_B: Ints, most: int) -> tuple[Ints, Ints]:
    """Return the last items of users [B, L], at most `most`, oldest first, and how many they are [B].

    L is the longest of them, at least 1; places behind a user's last item hold item 0.
    """
    count_B = np.minimum(found.length_U[user_B], most)
    place_BL = np.arange(max(1, count_B.max(initial=0)))
    first_B = found.start_U[user_B] + found.length_U[user_B] - count_B
    there_BL = place_BL < count_B[:, None]
    item_BL = np.zeros(there_BL.shape, np.int64)
    item_BL[there_BL] = found.item_E[(first_B[:, None] + place_BL)[there_BL]]
    return item_BL, count_B


def alike_batches(length_N: Ints, places: int) -> list[Ints]:
    """Return the numbers of sequences in batches of similar length, each of about `places` items in all.

    Most users had few items: batches of whoever comes next would be padding for the most part.
    """
    order = np.argsort(length_N, kind="stable")
    batch = (np.cumsum(length_N[order]) - 1) // places
    return np.split(order, np.flatnonzero(np.diff(batch)) + 1)
