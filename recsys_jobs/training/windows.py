"""The last windows before a cut: short holdouts of its own past, as long as the night's own will be.

A window is the latest whole days before the next one that hold new pairs of enough people with a history. What is
chosen on them knows nothing of what follows the cut. U users, E events, N events before a window ends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.data.recency import DAY
from recsys_jobs.data.without_events import without_events
from recsys_jobs.training.early_stopping import ValidationSet, rows_of_users


class Window(NamedTuple):
    """The dataset as it was when the window began, and its people: what they had by then, what they took in it."""

    past: Dataset
    validation: ValidationSet


def last_windows(dataset: Dataset, count: int, people: int, share: float, most: int, k: int) -> list[Window]:
    """Return at most `count` windows of at least `people`, the latest first; none where the dataset has no times.

    Together they have at most that `share` of the events: where that leaves too few people there are fewer windows, or
    one of all that it leaves. Each validates at most `most` people, a seeded choice.
    """
    day_E = dataset.time_E // DAY
    spans = _spans(dataset, count, people, share)
    windows = [_window(dataset, day_E >= begin, day_E < end, most, k) for begin, end in spans]
    return [window for window in windows if len(window.validation.users)]


def with_last_windows_as_validation(dataset: Dataset, count: int, people: int, share: float) -> Dataset:
    """Return the dataset with the last windows' events for its validation; as it is where there is no window.

    A night's holdout is what its people had in a few days, whoever they are: a validation of the core's last events
    has other people, and weeks. Who came first after the windows had begun is left out, as in a holdout.
    """
    spans = _spans(dataset, count, people, share)
    if not spans:
        return dataset
    begin, _ = spans[-1]
    later_E = dataset.time_E // DAY >= begin
    known_E = np.isin(dataset.event_user_E, dataset.event_user_E[~later_E])
    if not (known_E & later_E).any():
        return dataset
    return replace(without_events(dataset, ~known_E), validation_E=later_E[known_E])


def _spans(dataset: Dataset, count: int, people: int, share: float) -> list[tuple[int, int]]:
    """Return the windows' first days and the days after their last, the latest window first."""
    if not len(dataset.time_E) or dataset.time_E.min() < 0:
        return []
    day_E = dataset.time_E // DAY
    spans: list[tuple[int, int]] = []
    end = int(day_E.max()) + 1
    earliest = int(np.quantile(day_E, 1 - share, method="higher"))
    while len(spans) < count and earliest < end:
        first = _first_day(dataset, day_E, earliest, end, people)
        if first is None and spans:
            break
        begin = earliest if first is None else first
        spans.append((begin, end))
        end = begin
    return spans


def _first_day(dataset: Dataset, day_E: np.ndarray, earliest: int, end: int, people: int) -> int | None:
    """The latest day from which, until `end`, enough people with a history have new pairs; None before `earliest`."""
    before_E = day_E < end
    user_N, day_N = dataset.event_user_E[before_E], day_E[before_E]
    first_U = np.full(len(dataset.users), end)
    last_U = np.full(len(dataset.users), earliest - 1)
    np.minimum.at(first_U, user_N, day_N)
    np.maximum.at(last_U, user_N, day_N)
    for day in range(end - 1, earliest - 1, -1):
        returning_U = (first_U < day) & (last_U >= day)
        if returning_U.sum() >= people:
            return day
    return None


def _window(dataset: Dataset, later_E: Bools, before_end_E: Bools, most: int, k: int) -> Window:
    past = without_events(dataset, later_E)
    new_E = later_E & before_end_E & np.isin(dataset.event_user_E, past.event_user_E)
    candidates = np.unique(dataset.event_user_E[new_E])
    count = min(len(candidates), most)
    users = np.sort(np.random.default_rng(0).choice(candidates, count, replace=False))
    relevant = rows_of_users(dataset, new_E, users)
    owned = rows_of_users(dataset, ~later_E, users)
    return Window(past, ValidationSet(torch.from_numpy(users), relevant, owned, k))
