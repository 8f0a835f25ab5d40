"""Time's effect on events: their ages, histories that decay, recent popularity.

h_uj = .5^(age of u's event with j / half-life), rows summing to 1        pop_i = sum_e .5^(age of e / half-life)

Ages are in days, at the dataset's last event; an event whose time is unknown is as old as the dataset. A half-life of
0 is none: nothing fades. U users, I items, E events, N ages.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsys_jobs.data.dataset import Dataset

DAY = 86_400  # seconds
_SEEN = 1e-3  # events that every item has had: the prior of an item that nobody had of late


class Recency(NamedTuple):
    """Half-lives in days (0: none) of histories and of popularity, and how strongly the latter counts."""

    history: float = 0.0
    popularity: float = 0.0
    exponent: float = 0.0


def event_ages(dataset: Dataset) -> NDArray[np.float64]:
    """Return the age of each event in days; all 0 where the dataset has no times."""
    if not len(dataset.time_E) or dataset.time_E.max() < 0:
        return np.zeros(len(dataset.event_user_E))
    time_E = np.where(dataset.time_E < 0, dataset.time_E[dataset.time_E >= 0].min(), dataset.time_E)
    return (time_E.max() - time_E) / DAY


def decayed_history(dataset: Dataset, half_life: float) -> sparse.csr_matrix:
    """Return h [U, I], float32: each user's history, decayed; the row of a user without events is empty."""
    users = len(dataset.users)
    age_E, user_E = event_ages(dataset), dataset.event_user_E
    newest_U = np.full(users, np.inf)
    np.minimum.at(newest_U, user_E, age_E)
    weight_E = decay(age_E - newest_U[user_E], half_life)  # the user's newest event counts one, whatever its age
    total_U = np.bincount(user_E, weights=weight_E, minlength=users)
    weight_E /= total_U[user_E]
    entries = weight_E.astype(np.float32), (user_E, dataset.event_item_E)
    history_UI = sparse.csr_matrix(entries, shape=(users, len(dataset.items)))
    history_UI.sort_indices()
    return history_UI


def recent_popularity(dataset: Dataset, half_life: float) -> NDArray[np.float64]:
    """Return pop [I]."""
    weight_E = decay(event_ages(dataset), half_life)
    pop_I = np.bincount(dataset.event_item_E, weight_E, minlength=len(dataset.items))
    return pop_I.astype(np.float64)


def popularity_prior(dataset: Dataset, recency: Recency) -> NDArray[np.float64]:
    """Return by what each item's score is multiplied [I]: a power of how popular it is of late."""
    return (recent_popularity(dataset, recency.popularity) + _SEEN) ** recency.exponent


def decay(age_N: NDArray[np.float64], half_life: float) -> NDArray[np.float64]:
    """Return how much events of these ages still count [N]: one of today fully, one a half-life old half."""
    return np.exp2(-age_N / half_life) if half_life else np.ones_like(age_N)
