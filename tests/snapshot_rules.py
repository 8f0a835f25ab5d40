"""The snapshot rules in small, which tests hold the Spark side's equal to: first events, split, edges, exam cut.

Legend: E pairs (a person's first event with an item) in the total order of events, K edges.
Users and items are integer codes whose order is that of their ids, so that ties by code are ties by id.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Edges = dict[tuple[int, int], int]


@dataclass(frozen=True)
class Event:
    """One review; `reviewed_at` is UTC."""

    user_id: str
    item_id: str
    reviewed_at: datetime
    review_hash: str
    rating: float = 5.0


@dataclass(frozen=True)
class ExamCut:
    """The last day before the holdout, and what the holdout holds."""

    day: date
    users: int  # with a history at `day` and a new pair after it
    pairs: int  # new pairs of those users
    decidable: bool


def total_order(event: Event) -> tuple[datetime, str, str]:
    """The key that puts events in their one order; many real events share a timestamp."""
    return event.reviewed_at, event.item_id, event.review_hash


def first_events(events: Iterable[Event], cut: date) -> list[Event]:
    """The first event of each (user, item) before the end of `cut`, in the total order."""
    firsts: dict[tuple[str, str], Event] = {}
    for event in sorted(events, key=total_order):
        if event.reviewed_at.date() <= cut:
            firsts.setdefault((event.user_id, event.item_id), event)
    return list(firsts.values())


def id_codes(ids: Sequence[str]) -> Ints:
    """The rank of each id among the distinct ids."""
    rank = {name: place for place, name in enumerate(sorted(set(ids)))}
    return np.array([rank[name] for name in ids], dtype=np.int64)


def validation_part(in_core_E: Bools, share: float) -> Bools:
    """The last `share` of the core's pairs, rounded up so that a small core still has something to stop early on."""
    place_N = np.flatnonzero(in_core_E)
    validation_E = np.zeros(len(in_core_E), dtype=bool)
    validation_E[place_N[len(place_N) - math.ceil(share * len(place_N)) :]] = True
    return validation_E


def choose_exam_cut(
    user_E: Ints, day_E: npt.NDArray[np.datetime64], run_date: date, min_users: int, max_share: float
) -> ExamCut:
    """The latest day with `min_users` (at least one) people who have a history by then and a new pair after it.

    The holdout never has more than `max_share` of the pairs: where that leaves too few people, the earliest day that
    it allows, which is not decidable. Walks back day by day; `day_E` has at least one element, none after `run_date`.
    """
    day, allowed = run_date, run_date
    while day >= day_E.min().item() and (day_E > np.datetime64(day)).sum() <= max_share * len(day_E):
        allowed = day
        found = _holdout(user_E, day_E, day, max(min_users, 1))
        if found.decidable:
            return found
        day -= timedelta(days=1)
    return _holdout(user_E, day_E, allowed, max(min_users, 1))


def _holdout(user_E: Ints, day_E: npt.NDArray[np.datetime64], day: date, min_users: int) -> ExamCut:
    new_E = day_E > np.datetime64(day)
    new_E &= np.isin(user_E, user_E[~new_E])
    users = len(np.unique(user_E[new_E]))
    return ExamCut(day, users, int(new_E.sum()), users >= min_users)


def co_review_edges(user_E: Ints, item_E: Ints, history: int, per_item: int) -> Edges:
    """Items that the same people reviewed, by their last `history` pairs: (src, dst) with src < dst -> people.

    An edge stays if it is among the `per_item` strongest of either end; ties by item.
    """
    weight: Edges = Counter()
    by_user_E = np.argsort(user_E, kind="stable")
    for item_N in np.split(item_E[by_user_E], np.flatnonzero(np.diff(user_E[by_user_E])) + 1):
        weight.update(combinations(sorted(item_N[-history:].tolist()), 2))
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for (src, dst), people in weight.items():
        neighbours.setdefault(src, []).append((-people, dst))
        neighbours.setdefault(dst, []).append((-people, src))
    kept = {
        (min(item, other), max(item, other))
        for item, others in neighbours.items()
        for _, other in sorted(others)[:per_item]
    }
    return {edge: weight[edge] for edge in kept}


def listed_edges(listed: Mapping[int, Iterable[int]], eligible: set[int]) -> Edges:
    """Items that an item's page lists: (src, dst) with src < dst -> 1, or 2 where each lists the other."""
    listings = {(item, other) for item, others in listed.items() for other in others if item != other}
    return Counter((min(pair), max(pair)) for pair in listings if eligible.issuperset(pair))
