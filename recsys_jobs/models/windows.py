"""The last windows before a cut: short holdouts of its own past, as long as the night's own will be.

A window is the latest whole days before the next one that hold new pairs of enough people with a history. What is
chosen on them knows nothing of what follows the cut. U users, B people asked about, I items, E events.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse

from recsys_jobs.dataset import Bools, Dataset
from recsys_jobs.models.past import without
from recsys_jobs.models.recency import DAY
from recsys_jobs.validation import Watch


class Window(NamedTuple):
    """The dataset as it was when the window began, and its people with what they then had and came to have."""

    past: Dataset
    watch: Watch


def last_windows(dataset: Dataset, count: int, people: int, share: float, most: int, k: int) -> list[Window]:
    """Return at most `count` windows of at least `people`, the latest first; none where the dataset has no times.

    Together they have at most that `share` of the events: where that leaves too few people there are fewer windows, or
    one of all that it leaves. Of each at most `most` people are asked about, a seeded choice.
    """
    if not len(dataset.time_E) or dataset.time_E.min() < 0:
        return []
    day_E = dataset.time_E // DAY
    windows: list[Window] = []
    end = int(day_E.max()) + 1
    earliest = int(np.quantile(day_E, 1 - share, method="higher"))
    while len(windows) < count and earliest < end:
        begin = _begin(dataset, day_E, earliest, end, people)
        if begin is None and windows:
            break
        begin = earliest if begin is None else begin
        windows.append(_window(dataset, day_E >= begin, day_E < end, most, k))
        end = begin
    return [window for window in windows if len(window.watch.users)]


def _begin(dataset: Dataset, day_E: np.ndarray, earliest: int, end: int, people: int) -> int | None:
    """The latest day from which, until `end`, enough people with a history have new pairs; None before `earliest`."""
    first_U = np.full(len(dataset.users), np.iinfo(np.int64).max)
    np.minimum.at(first_U, dataset.event_user_E, day_E)
    asked: set[int] = set()
    for begin in range(end - 1, earliest - 1, -1):
        asked.update(dataset.event_user_E[day_E == begin].tolist())
        if len(asked) >= people and sum(first_U[user] < begin for user in asked) >= people:
            return begin
    return None


def _window(dataset: Dataset, later_E: Bools, before_end_E: Bools, most: int, k: int) -> Window:
    past = without(dataset, later_E)
    new_E = later_E & before_end_E & np.isin(dataset.event_user_E, past.event_user_E)
    users = np.unique(dataset.event_user_E[new_E])
    users = np.sort(np.random.default_rng(0).choice(users, min(len(users), most), replace=False))
    watch = Watch(torch.from_numpy(users), _rows(dataset, new_E, users), _rows(dataset, ~later_E, users), k)
    return Window(past, watch)


def _rows(dataset: Dataset, chosen_E: Bools, users: np.ndarray) -> sparse.csr_matrix:
    pairs = dataset.event_user_E[chosen_E], dataset.event_item_E[chosen_E]
    shape = len(dataset.users), len(dataset.items)
    return sparse.csr_matrix((np.ones(len(pairs[0]), np.float32), pairs), shape=shape)[users]
