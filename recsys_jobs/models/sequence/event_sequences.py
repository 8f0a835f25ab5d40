"""What each user had in the order of events, and its last part as a padded batch.

U users, I items, E events, B batch of users, L places of a batch, N sequences.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recsys_jobs.data.dataset import Bools, Dataset, Floats, Ints


class Sequences(NamedTuple):
    """Users' events one after another, each user's in their order."""

    item_E: Ints
    time_E: Ints  # seconds since 1970, UTC, -1 where unknown
    rating_E: Floats  # stars, NaN where there are none
    location_E: Ints  # -1 where unknown
    start_U: Ints  # where each user's events begin
    length_U: Ints
    asked_at: int  # when what comes after a user's last event is asked for, -1 where unknown


def sequences(dataset: Dataset, chosen_E: Bools, known_I: Bools | None = None) -> Sequences:
    """Return the sequences of the chosen events, of known items alone where these are given.

    What comes next is asked for at the moment of the last chosen event.
    """
    asked_at = int(dataset.time_E[chosen_E].max(initial=-1)) if len(dataset.time_E) else -1
    if known_I is not None:
        chosen_E = chosen_E & known_I[dataset.event_item_E]
    user_E = dataset.event_user_E[chosen_E]
    length_U = np.bincount(user_E, minlength=len(dataset.users))
    order = np.flatnonzero(chosen_E)[np.argsort(user_E, kind="stable")]
    return Sequences(
        item_E=dataset.event_item_E[order],
        time_E=dataset.time_E[order] if len(dataset.time_E) else np.full(len(order), -1, np.int64),
        rating_E=dataset.rating_E[order] if len(dataset.rating_E) else np.full(len(order), np.nan, np.float32),
        location_E=dataset.location_E[order] if len(dataset.location_E) else np.full(len(order), -1, np.int64),
        start_U=length_U.cumsum() - length_U,
        length_U=length_U,
        asked_at=asked_at,
    )


def last_events(events: Sequences, user_B: Ints, most: int) -> tuple[Ints, Ints]:
    """Return where the last events of users stand [B, L], at most `most`, oldest first, and how many they are [B].

    L is the longest of them, at least 1; places behind a user's last event hold 0.
    """
    count_B = np.minimum(events.length_U[user_B], most)
    place_BL = np.arange(max(1, count_B.max(initial=0)))
    first_B = events.start_U[user_B] + events.length_U[user_B] - count_B
    return np.where(place_BL < count_B[:, None], first_B[:, None] + place_BL, 0), count_B


def alike_batches(length_N: Ints, places: int) -> list[Ints]:
    """Return the numbers of sequences in batches of similar length, each of about `places` items in all.

    Most users had few items: batches of users in random order would be padding for the most part.
    """
    order = np.argsort(length_N, kind="stable")
    batch = (np.cumsum(length_N[order]) - 1) // places
    return np.split(order, np.flatnonzero(np.diff(batch)) + 1)
