"""Protocols, by name, that divide events into train, validation and test.

Every event belongs to exactly one part, whatever the protocol. Shares are 8 : 1 : 1.
E events in their total order, U users, I items, N codes of users or items.
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
    """One way to divide; `validation_is_history` says whether validation events are history when test is measured."""

    split: Callable[[Events, np.random.Generator], Parts]
    description: str
    validation_is_history: bool = False


def split_events(events: Events, name: str, seed: int) -> Parts:
    """Return the part of each event; UsageError where the protocol is unknown or the data does not allow it."""
    part_E = get_protocol(name).split(events, np.random.default_rng(seed))
    for part, what in ((TRAIN, "train on"), (VALIDATION, "select by"), (TEST, "test on")):
        if not (part_E == part).any():
            raise UsageError(f"protocol {name} leaves no events to {what}: there are {len(part_E)}; choose another")
    return part_E


def get_protocol(name: str) -> Protocol:
    """Return the protocol called `name`; UsageError for an unknown one."""
    if name not in PROTOCOLS:
        raise UsageError(f"unknown protocol {name!r}: name one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def default_protocol(events: Events) -> str:
    """Return the strictest protocol that a data set allows: its default."""
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
    count = len(ascending_E)
    validation_from, test_from = ascending_E[[count * 8 // 10, count * 9 // 10]]
    part_E = np.full(count, TRAIN, np.int8)
    part_E[events.time_E >= validation_from] = VALIDATION
    part_E[events.time_E >= test_from] = TEST
    return part_E


def _leave_last_out(events: Events, random: np.random.Generator) -> Parts:
    """The last of each user is test, the last but one validation; users with fewer than three are learned from."""
    if not events.ordered:
        raise UsageError(
            "protocol leave_last_out needs to know what came last, and the data does not say: choose another"
        )
    position_E, size_E = positions_in_group(events.user_E)
    enough_E = size_E >= 3
    part_E = np.full(len(position_E), TRAIN, np.int8)
    part_E[(position_E == size_E - 2) & enough_E] = VALIDATION
    part_E[(position_E == size_E - 1) & enough_E] = TEST
    return part_E


def _per_user_random(events: Events, random: np.random.Generator) -> Parts:
    return _split_tenths(events.user_E, random)


def _stratified(events: Events, random: np.random.Generator) -> Parts:
    """Each user's events by item popularity, ten neighbours a stratum, and each stratum divided at random."""
    popularity_E = np.bincount(events.item_E)[events.item_E]
    order = np.lexsort((random.random(len(popularity_E)), -popularity_E, events.user_E))
    position_E = np.empty(len(order), np.int64)
    position_E[order], _ = positions_in_group(events.user_E[order])
    stratum_E = position_E // _STRATUM
    key_E = events.user_E * (stratum_E.max() + 1) + stratum_E
    _, group_E = np.unique(key_E, return_inverse=True)
    return _split_tenths(group_E, random)


def _user_based(events: Events, random: np.random.Generator) -> Parts:
    """A tenth of the users is tested and not trained on: most of their events are given, the last are targets.

    Last in order, or at random where there is none. Users with one event are learned from.
    """
    user_U = np.flatnonzero(np.bincount(events.user_E) >= 2)
    test_users, validation_users = _two_tenths(user_U, random)
    test_E = np.isin(events.user_E, test_users)
    validation_E = np.isin(events.user_E, validation_users)
    count = len(events.user_E)
    order = np.arange(count) if events.ordered else random.permutation(count)
    position_E, size_E = np.empty((2, count), np.int64)
    position_E[order], size_E[order] = positions_in_group(events.user_E[order])
    targets_E = np.maximum(1, np.rint(size_E * _TARGETS))
    target_E = position_E >= size_E - targets_E
    part_E = np.full(count, TRAIN, np.int8)
    part_E[validation_E] = np.where(target_E[validation_E], VALIDATION, VALIDATION_INPUT)
    part_E[test_E] = np.where(target_E[test_E], TEST, TEST_INPUT)
    return part_E


def _item_based(events: Events, random: np.random.Generator) -> Parts:
    """A tenth of the items is tested, and none of their events is trained on."""
    test_items, validation_items = _two_tenths(np.unique(events.item_E), random)
    part_E = np.full(len(events.item_E), TRAIN, np.int8)
    part_E[np.isin(events.item_E, validation_items)] = VALIDATION
    part_E[np.isin(events.item_E, test_items)] = TEST
    return part_E


def _split_tenths(group_E: Ints, random: np.random.Generator) -> Parts:
    """Of each group one tenth, at least one event, is test and as many validation; groups below three are train."""
    order = random.permutation(len(group_E))
    position_E, size_E = np.empty((2, len(order)), np.int64)
    position_E[order], size_E[order] = positions_in_group(group_E[order])
    tenth_E = np.where(size_E >= 3, np.maximum(1, size_E // 10), 0)
    part_E = np.full(len(group_E), TRAIN, np.int8)
    part_E[position_E < 2 * tenth_E] = VALIDATION
    part_E[position_E < tenth_E] = TEST
    return part_E


def _two_tenths(all_N: Ints, random: np.random.Generator) -> tuple[Ints, Ints]:
    """Return two disjoint tenths of some codes, each of at least one."""
    shuffled = random.permutation(all_N)
    size = max(1, len(shuffled) // 10)
    return shuffled[:size], shuffled[size : 2 * size]


def positions_in_group(group_E: Ints) -> tuple[Ints, Ints]:
    """Return each event's position among those of its group, from 0 and in order, and the size of the group."""
    order = np.argsort(group_E, kind="stable")
    sorted_E = group_E[order]
    position_E = np.empty(len(order), np.int64)
    position_E[order] = np.arange(len(order)) - np.searchsorted(sorted_E, sorted_E)
    size_E = np.bincount(group_E)[group_E] if len(group_E) else position_E
    return position_E, size_E


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
