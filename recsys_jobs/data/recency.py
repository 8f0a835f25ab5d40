"""What time does to events: how old they are, histories that fade, and what was popular of late.

h_uj = .5^(age of u's event with j / half-life), rows summing to 1        pop_i = sum_e .5^(age of e / half-life)

Ages are in days, at the dataset's last event; an event whose time is unknown is as old as the dataset. A half-life of
0 is none: nothing fades. U users, I items, E events.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsys_jobs.data.dataset import Dataset

DAY = 86_400  # seconds
_SEEN = 1e-3  # events that everything has had: the prior of what nobody had of late


class Recency(NamedTuple):
    """Half-lives in days (0: none) of histories and of popularity, and how strongly the latter counts."""

    history: float = 0.0
    popularity: float = 0.0
    exponent: float = 0.0


def ages(dataset: Dataset) -> NDArray[np.float64]:
    """Return the age of each event in days; all 0 where the dataset has no times."""
    if not len(dataset.time_E) or dataset.time_E.max() < 0:
        return np.zeros(len(dataset.event_user_E))
    time_E = np.where(dataset.time_E < 0, dataset.time_E[dataset.time_E >= 0].min(), dataset.time_E)
    return (time_E.max() - time_E) / DAY


def fading_history(dataset: Dataset, half_life: float) -> sparse.csr_matrix:
    """Return h [U, I], float32: what of each user's history is left; the row of a user without events is empty."""
    age_E, user_E = ages(dataset), dataset.event_user_E
    newest_U = np.full(len(dataset.users), np.inf)
    np.minimum.at(newest_U, user_E, age_E)
    left_E = left(age_E - newest_U[user_E], half_life)  # of the user's newest event all is left, whatever its age
    left_E /= np.bincount(user_E, weights=left_E, minlength=len(dataset.users))[user_E]
    shape = len(dataset.users), len(dataset.items)
    history_UI = sparse.csr_matrix((left_E.astype(np.float32), (user_E, dataset.event_item_E)), shape=shape)
    history_UI.sort_indices()
    return history_UI


def recent_popularity(dataset: Dataset, half_life: float) -> NDArray[np.float64]:
    """Return pop [I]."""
    left_E = left(ages(dataset), half_life)
    return np.bincount(dataset.event_item_E, left_E, minlength=len(dataset.items)).astype(np.float64)


def prior(dataset: Dataset, recency: Recency) -> NDArray[np.float64]:
    """Return by what each item's score is multiplied [I]: a power of how popular it is of late."""
    return (recent_popularity(dataset, recency.popularity) + _SEEN) ** recency.exponent


def left(age_N: NDArray[np.float64], half_life: float) -> NDArray[np.float64]:
    """Return what is left of events of these ages [N]: all of one of today, half of one a half-life old."""
    return np.exp2(-age_N / half_life) if half_life else np.ones_like(age_N)
