"""How an exam divides events into what is learned from, what is selected by, and what is asked: by name.

Every event belongs to exactly one part, whatever the protocol. Shares are 8 : 1 : 1.
E events in their total order, U users, I items, G groups of events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.data.dataset import Ints

TRAIN, VALIDATION, TEST, VALIDATION_INPUT, TEST_INPUT = range(5)
Parts = NDArray[np.int8]  # one of the five for each event
_STRATUM = 10  # items of neighbouring popularity that make a stratum of a user's events
_TARGETS = 0.2  # share of a user's events that are asked for in `user_based`


@dataclass(frozen=True)
class Events:
    """Events in their total order; `ordered` says whether that is the order in which each user had them.

    `time_E` is seconds, empty where unknown; `label_E` the part that the source itself names, empty without one.
    """

    user_E: Ints
    item_E: Ints
    time_E: Ints
    label_E: Parts
    ordered: bool


@dataclass(frozen=True)
class Protocol:
    """One way to divide; `validation_is_history` says whether what was selected by is known when test is asked."""

    divide: Callable[[Events, np.random.Generator], Parts]
    says: str
    validation_is_history: bool = False


def divide(events: Events, name: str, seed: int) -> Parts:
    """Return the part of each event; UsageError where the protocol is unknown or the data is not for it."""
    part_E = protocol(name).divide(events, np.random.default_rng(seed))
    for part, what in ((TRAIN, "train on"), (VALIDATION, "select by"), (TEST, "test on")):
        if not (part_E == part).any():
            raise UsageError(f"protocol {name} leaves no events to {what}: there are {len(part_E)}; choose another")
    return part_E


def protocol(name: str) -> Protocol:
    """Return the protocol called `name`; UsageError for an unknown one."""
    if name not in PROTOCOLS:
        raise UsageError(f"unknown protocol {name!r}: name one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def usual(events: Events) -> str:
    """Return the protocol that a data set is measured by unless told otherwise: the strictest that it allows."""
    if len(events.label_E):
        return "file"
    if len(events.time_E):
        return "global_time"
    return "leave_last_out" if events.ordered else "per_user_random"


def _file(events: Events, random: np.random.Generator) -> Parts:
    if not len(events.label_E):
        raise UsageError("protocol file needs a split in the data, and there is none: choose another protocol")
    return events.label_E


def _global_time(events: Events, random: np.random.Generator) -> Parts:
    """Cut at two moments, so that events of one second never fall on both sides."""
    if not len(events.time_E):
        raise UsageError("protocol global_time needs timestamps, and the data has none: choose another protocol")
    ascending_E = np.sort(events.time_E)
    validation_from, test_from = ascending_E[[len(ascending_E) * 8 // 10, len(ascending_E) * 9 // 10]]
    part_E = np.full(len(events.time_E), TRAIN, np.int8)
    part_E[events.time_E >= validation_from] = VALIDATION
    part_E[events.time_E >= test_from] = TEST
    return part_E


def _leave_last_out(events: Events, random: np.random.Generator) -> Parts:
    """The last of each user is test, the last but one validation; users with fewer than three are learned from."""
    if not events.ordered:
        raise UsageError(
            "protocol leave_last_out needs to know what came last, and the data does not say: choose another"
        )
    place_E, size_E = places(events.user_E)
    part_E = np.full(len(place_E), TRAIN, np.int8)
    part_E[(place_E == size_E - 2) & (size_E >= 3)] = VALIDATION
    part_E[(place_E == size_E - 1) & (size_E >= 3)] = TEST
    return part_E


def _per_user_random(events: Events, random: np.random.Generator) -> Parts:
    return _tenths(events.user_E, random)


def _stratified(events: Events, random: np.random.Generator) -> Parts:
    """Each user's events by item popularity, ten neighbours a stratum, and each stratum divided at random."""
    popularity_E = np.bincount(events.item_E)[events.item_E]
    order = np.lexsort((random.random(len(popularity_E)), -popularity_E, events.user_E))
    place_E = np.empty(len(order), np.int64)
    place_E[order] = places(events.user_E[order])[0]
    stratum_E = place_E // _STRATUM
    _, group_E = np.unique(events.user_E * (stratum_E.max() + 1) + stratum_E, return_inverse=True)
    return _tenths(group_E, random)


def _user_based(events: Events, random: np.random.Generator) -> Parts:
    """A tenth of the users is tested, of whom nothing is learned: most of their events are given, the last are asked.

    Last in order, or at random where there is none. Users with one event are learned from.
    """
    user_U = np.flatnonzero(np.bincount(events.user_E) >= 2)
    test_E, validation_E = (np.isin(events.user_E, some) for some in _two_tenths(user_U, random))
    order = np.arange(len(events.user_E)) if events.ordered else random.permutation(len(events.user_E))
    place_E, size_E = np.empty((2, len(order)), np.int64)
    place_E[order], size_E[order] = places(events.user_E[order])
    asked_E = place_E >= size_E - np.maximum(1, np.rint(size_E * _TARGETS))
    part_E = np.full(len(order), TRAIN, np.int8)
    part_E[validation_E] = np.where(asked_E[validation_E], VALIDATION, VALIDATION_INPUT)
    part_E[test_E] = np.where(asked_E[test_E], TEST, TEST_INPUT)
    return part_E


def _item_based(events: Events, random: np.random.Generator) -> Parts:
    """A tenth of the items is tested, of which nobody's event is learned from."""
    test_I, validation_I = _two_tenths(np.unique(events.item_E), random)
    part_E = np.full(len(events.item_E), TRAIN, np.int8)
    part_E[np.isin(events.item_E, validation_I)] = VALIDATION
    part_E[np.isin(events.item_E, test_I)] = TEST
    return part_E


def _tenths(group_E: Ints, random: np.random.Generator) -> Parts:
    """Of each group one tenth, at least one event, is test and as many validation; groups below three are train."""
    order = random.permutation(len(group_E))
    place_E, size_E = np.empty((2, len(order)), np.int64)
    place_E[order], size_E[order] = places(group_E[order])
    out_E = np.where(size_E >= 3, np.maximum(1, size_E // 10), 0)
    part_E = np.full(len(group_E), TRAIN, np.int8)
    part_E[place_E < 2 * out_E] = VALIDATION
    part_E[place_E < out_E] = TEST
    return part_E


def _two_tenths(all_N: Ints, random: np.random.Generator) -> tuple[Ints, Ints]:
    """Return two disjoint tenths of some codes, each of at least one."""
    shuffled = random.permutation(all_N)
    size = max(1, len(shuffled) // 10)
    return shuffled[:size], shuffled[size : 2 * size]


def places(group_E: Ints) -> tuple[Ints, Ints]:
    """Return each event's place among those of its group, from 0 and in order, and how many these are."""
    order = np.argsort(group_E, kind="stable")
    sorted_E = group_E[order]
    place_E = np.empty(len(order), np.int64)
    place_E[order] = np.arange(len(order)) - np.searchsorted(sorted_E, sorted_E)
    return place_E, np.bincount(group_E)[group_E] if len(group_E) else place_E


PROTOCOLS: dict[str, Protocol] = {
    "file": Protocol(_file, "the split that the data comes with"),
    "global_time": Protocol(
        _global_time, "the last tenth in time is test, the tenth before it validation", validation_is_history=True
    ),
    "leave_last_out": Protocol(
        _leave_last_out, "each user's last event is test, the one before it validation", validation_is_history=True
    ),
    "per_user_random": Protocol(_per_user_random, "of each user's events 8 : 1 : 1 at random"),
    "stratified": Protocol(_stratified, "of each user's events 8 : 1 : 1 at random, stratified by item popularity"),
    "user_based": Protocol(_user_based, "a tenth of the users is new: four fifths of their events are given"),
    "item_based": Protocol(_item_based, "a tenth of the items is new: nobody's event of them is learned from"),
}
