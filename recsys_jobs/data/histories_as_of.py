"""The events before a moment, how old they then are, and the chunks of time to learn from.

Events are in the order of time; those of unknown time come first, in their total order. A moment is a place among
them. E events, N of them chosen, C bounds of chunks, U users, B block of users, I items, H half-lives of histories,
P of popularity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from recsys_jobs.data.dataset import Bools, Dataset, Ints
from recsys_jobs.data.histories import pair_matrix
from recsys_jobs.data.recency import decay, event_ages

_SEEN = 1e-2  # events that everything has had, so that popularity has a logarithm


class TimedEvents(NamedTuple):
    """Events in the order of time: users, items, ages in days at the last of them, never rising."""

    user_E: Ints
    item_E: Ints
    age_E: NDArray[np.float64]
    shape: tuple[int, int]  # users, items

    def before(self, place: int) -> TimedEvents:
        """Return the first `place` events, their ages as they are when the last of these happens."""
        age_E = self.age_E[:place]
        return TimedEvents(self.user_E[:place], self.item_E[:place], age_E - age_E[-1:], self.shape)

    def subset(self, chosen_E: Bools) -> TimedEvents:
        """Return the chosen events, their ages unchanged."""
        return TimedEvents(self.user_E[chosen_E], self.item_E[chosen_E], self.age_E[chosen_E], self.shape)

    def keys(self) -> Ints:
        """Return user * I + item of each event."""
        return self.user_E * self.shape[1] + self.item_E


def timed_events(dataset: Dataset, chosen_E: Bools) -> TimedEvents:
    """Return some events of a dataset, the oldest first."""
    age_E = event_ages(dataset)[chosen_E]
    order = np.argsort(-age_E, kind="stable")
    user_E = dataset.event_user_E[chosen_E][order]
    item_E = dataset.event_item_E[chosen_E][order]
    return TimedEvents(user_E, item_E, age_E[order], (len(dataset.users), len(dataset.items)))


def time_chunks(events: TimedEvents, share: float, count: int) -> list[tuple[int, int]]:
    """Return where at most `count` chunks of the last `share` of events begin and end; something is before each.

    Events of one time stay together, but where all have the same, or none has one.
    """
    total = len(events.age_E)
    place_C = np.linspace(total * (1 - share), total, count + 1).astype(np.int64)
    if total and events.age_E[0] > events.age_E[-1]:
        inside_C = place_C < total
        age = events.age_E[place_C[inside_C]]
        place_C[inside_C] = np.searchsorted(-events.age_E, -age)
    bounds = np.unique(place_C[place_C > 0]).tolist()
    return list(zip(bounds[:-1], bounds[1:], strict=True))


def histories(events: TimedEvents, user_B: Ints, half_lives: tuple[float, ...]) -> list[sparse.csr_matrix]:
    """Return for each half-life what is left of the users' histories [H] of [B, I], popular items counting less.

    Of a user's newest event all is left, whatever its age; an item counts one over the root of how many had it.
    """
    users, items = events.shape
    owners_I = np.bincount(events.item_E, minlength=items)
    damping_I = np.maximum(owners_I, 1) ** -0.5
    row_U = np.full(users, -1)
    row_U[user_B] = np.arange(len(user_B))
    user_N, item_N, age_N, _ = events.subset(row_U[events.user_E] >= 0)
    newest_U = np.full(users, np.inf)
    np.minimum.at(newest_U, user_N, age_N)
    matrices = []
    for half_life in half_lives:
        value_N = decay(age_N - newest_U[user_N], half_life) * damping_I[item_N]
        entries = value_N.astype(np.float32), (row_U[user_N], item_N)
        matrices.append(sparse.csr_matrix(entries, shape=(len(user_B), items)))
    return matrices


def log_popularity(events: TimedEvents, half_lives: tuple[float, ...]) -> Tensor:
    """Return the logarithm of how popular each item is of late, by each half-life, less its mean over items [I, P]."""
    items = events.shape[1]
    counts = [np.bincount(events.item_E, decay(events.age_E, half_life), minlength=items) for half_life in half_lives]
    log_IP = np.log(np.stack(counts, axis=1) + _SEEN)
    return torch.from_numpy((log_IP - log_IP.mean(0)).astype(np.float32))


def matrix(events: TimedEvents) -> sparse.csr_matrix:
    """Return X [U, I], float32: 1 where a user had an item."""
    return pair_matrix(events.user_E, events.item_E, events.shape)
