"""Slices of an exam: which targets belong to each. U users, I items, E events, T targets."""

from __future__ import annotations

import numpy as np

from recsys_jobs.data.dataset import Bools, Dataset, Ints
from recsys_jobs.data.recency import event_ages

FEW_EVENTS = 2  # of a person: no more than one pair of items that go together
NEW_DAYS = 30  # so short that few people had the item, so long that popularity can tell new items apart
AMONG_NEW_ITEMS = "among_new_items"
NOTES = {
    "few_events": f"People with at most {FEW_EVENTS} events at the cut.",
    "new_items": f"Items that nobody had until {NEW_DAYS} days before the newest event, ranked with all the others.",
    AMONG_NEW_ITEMS: "The same targets, ranked among new items alone; compare models here, not this with other slices.",
}


def slices(dataset: Dataset, user_T: Ints, item_T: Ints) -> dict[str, Bools]:
    """Return which targets belong to each slice; `all` comes first."""
    core_U = np.zeros(len(dataset.users), dtype=bool)
    core_I = np.zeros(len(dataset.items), dtype=bool)
    core_U[dataset.event_user_E[dataset.in_core_E]] = True
    core_I[dataset.event_item_E[dataset.in_core_E]] = True
    events_U = np.bincount(dataset.event_user_E, minlength=len(dataset.users))
    return {
        "all": np.ones(len(user_T), dtype=bool),
        "core": core_U[user_T],
        "cold_users": ~core_U[user_T],
        "few_events": events_U[user_T] <= FEW_EVENTS,
        "cold_items": ~core_I[item_T],
        "new_items": new_items(dataset)[item_T],
        "no_image": ~dataset.image_present_I[item_T],
        "no_text": dataset.text_from_reviews_I[item_T] | ~dataset.text_present_I[item_T],  # no description
    }


def new_items(dataset: Dataset) -> Bools:
    """Return which items have no event before the last NEW_DAYS days [I]; without times, none at all."""
    oldest_I = np.full(len(dataset.items), -1.0)  # the age of the first event; below 0 where there is none
    np.maximum.at(oldest_I, dataset.event_item_E, event_ages(dataset))
    timed = dataset.time_E.max(initial=-1) >= 0
    return oldest_I <= NEW_DAYS if timed else oldest_I < 0
