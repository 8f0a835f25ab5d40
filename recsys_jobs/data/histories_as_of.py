"""What is known at a moment: the events before it, how old they then are, and which chunks of time to learn from.

Events are in the order of time; those of unknown time come first, in their total order. A moment is a place among
them. E events, N of them chosen, B block of users, I items, H half-lives of histories, P of popularity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from recsys_jobs.data.dataset import Bools, Dataset, Ints
from recsys_jobs.data.recency import ages, left

_SEEN = 1e-2  # events that everything has had, so that popularity has a logarithm


class Events(NamedTuple):
    """Events in the order of time: users, items, ages in days at the last of them, never rising."""

    user_E: Ints
    item_E: Ints
    age_E: NDArray[np.float64]
    shape: tuple[int, int]  # users, items

    def before(self, place: int) -> Events:
        """Return the first `place` events, their ages as they are when the last of these happens."""
        age_E = self.age_E[:place]
        return Events(self.user_E[:place], self.item_E[:place], age_E - age_E[-1:], self.shape)

    def some(self, chosen_E: Bools) -> Events:
        """Return some of the events, as old as they are."""
        return Events(self.user_E[chosen_E], self.item_E[chosen_E], self.age_E[chosen_E], self.shape)

    def keys(self) -> Ints:
        """Return user * I + item of each event."""
        return self.user_E * self.shape[1] + self.item_E


def events_in_time(dataset: Dataset, chosen_E: Bools) -> Events:
    """Return some events of a dataset, the oldest first."""
    age_E = ages(dataset)[chosen_E]
    order = np.argsort(-age_E, kind="stable")
    user_E, item_E = (values[chosen_E][order] for values in (dataset.event_user_E, dataset.event_item_E))
    return Events(user_E, item_E, age_E[order], (len(dataset.users), len(dataset.items)))


def chunks(events: Events, share: float, count: int) -> list[tuple[int, int]]:
    """Return where at most `count` chunks of the last `share` of events begin and end; something is before each.

    Events of one time stay together, but where all have the same, or none has one.
    """
    total = len(events.age_E)
    place_N = np.linspace(total * (1 - share), total, count + 1).astype(np.int64)
    if total and events.age_E[0] > events.age_E[-1]:
        inside_N = place_N < total
        place_N[inside_N] = np.searchsorted(-events.age_E, -events.age_E[place_N[inside_N]])
    place_N = np.unique(place_N[place_N > 0])
    return list(zip(place_N[:-1].tolist(), place_N[1:].tolist(), strict=True))


def histories(events: Events, user_B: Ints, half_lives: tuple[float, ...]) -> list[sparse.csr_matrix]:
    """Return for each half-life what is left of the users' histories [H] of [B, I], popular items counting less.

    Of a user's newest event all is left, whatever its age; an item counts one over the root of how many had it.
    """
    damping_I = np.maximum(np.bincount(events.item_E, minlength=events.shape[1]), 1) ** -0.5
    row_U = np.full(events.shape[0], -1)
    row_U[user_B] = np.arange(len(user_B))
    user_N, item_N, age_N, _ = events.some(row_U[events.user_E] >= 0)
    newest_U = np.full(events.shape[0], np.inf)
    np.minimum.at(newest_U, user_N, age_N)
    shape = len(user_B), events.shape[1]
    found = [(left(age_N - newest_U[user_N], half_life) * damping_I[item_N]) for half_life in half_lives]
    return [sparse.csr_matrix((value_N.astype(np.float32), (row_U[user_N], item_N)), shape=shape) for value_N in found]


def log_popularity(events: Events, half_lives: tuple[float, ...]) -> Tensor:
    """Return the logarithm of how popular each item is of late, by each half-life, less its mean over items [I, P]."""
    items = events.shape[1]
    found = [np.bincount(events.item_E, left(events.age_E, half_life), minlength=items) for half_life in half_lives]
    log_IP = np.log(np.stack(found, axis=1) + _SEEN)
    return torch.from_numpy((log_IP - log_IP.mean(0)).astype(np.float32))


def matrix(events: Events) -> sparse.csr_matrix:
    """Return X [U, I], float32: 1 where a user had an item."""
    ones_E = np.ones(len(events.user_E), np.float32)
    history_UI = sparse.csr_matrix((ones_E, (events.user_E, events.item_E)), shape=events.shape)
    history_UI.sort_indices()
    return history_UI
