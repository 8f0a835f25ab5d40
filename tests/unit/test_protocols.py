"""Every protocol: each event in one part, and what it promises, whatever the events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.data import split_protocols
from recsys_jobs.data.split_protocols import (
    PROTOCOLS,
    TEST,
    TEST_INPUT,
    TRAIN,
    VALIDATION,
    VALIDATION_INPUT,
    Events,
    Parts,
    split_events,
)

SEEDS = st.integers(0, 1_000)


def events(
    users: list[int],
    items: list[int],
    times: list[int] | None = None,
    ordered: bool = True,
    labels: list[int] | None = None,
) -> Events:
    as_ints = [np.array(values or [], np.int64) for values in (users, items, times)]
    return Events(*as_ints, np.array(labels or [], np.int8), ordered)


@st.composite
def logs(draw: st.DrawFn) -> Events:
    """Different pairs with times that often tie, in order; enough users and items for every protocol."""
    users, items = draw(st.integers(4, 12)), draw(st.integers(4, 15))
    random = np.random.default_rng(draw(SEEDS))
    taken = np.flatnonzero(random.random(users * items) < draw(st.floats(0.3, 1.0)))
    assume(len(taken) >= 12)
    taken = random.permutation(taken)
    times = np.sort(random.integers(0, draw(st.sampled_from([5, 40, 10_000])), len(taken)))
    labels = random.integers(0, 3, len(taken))
    return events((taken // items).tolist(), (taken % items).tolist(), times.tolist(), labels=labels.tolist())


def divided(log: Events, name: str, seed: int = 0) -> Parts:
    """The parts, where the events are enough for the protocol."""
    try:
        return split_events(log, name, seed)
    except UsageError as error:
        assume("leaves no events" not in str(error))
        raise


def of_part(log: Events, part_E: Parts, *parts: int) -> tuple[set[int], set[int]]:
    chosen_E = np.isin(part_E, parts)
    return set(log.user_E[chosen_E].tolist()), set(log.item_E[chosen_E].tolist())


@pytest.mark.parametrize("name", PROTOCOLS)
@given(log=logs(), seed=SEEDS)
@settings(deadline=None)
def test_every_event_is_in_one_part_and_the_seed_decides_which(name: str, log: Events, seed: int) -> None:
    part_E = divided(log, name, seed)
    assert part_E.shape == log.user_E.shape
    assert set(part_E.tolist()) <= {TRAIN, VALIDATION, TEST, VALIDATION_INPUT, TEST_INPUT}
    assert (part_E == split_events(log, name, seed)).all()
    given_parts = {VALIDATION_INPUT, TEST_INPUT} & set(part_E.tolist())
    assert not given_parts or name == "user_based"


@given(log=logs())
@settings(deadline=None)
def test_global_time_learns_from_nothing_that_came_later(log: Events) -> None:
    part_E = divided(log, "global_time")
    train, validation, test = (log.time_E[part_E == part] for part in (TRAIN, VALIDATION, TEST))
    assert train.max() < validation.min() and validation.max() < test.min()


@given(log=logs())
@settings(deadline=None)
def test_leave_last_out_asks_for_one_event_of_each_user_with_three(log: Events) -> None:
    part_E = divided(log, "leave_last_out")
    for user in set(log.user_E.tolist()):
        own = part_E[log.user_E == user].tolist()
        assert own == ([TRAIN] * (len(own) - 2) + [VALIDATION, TEST] if len(own) >= 3 else [TRAIN] * len(own))


@pytest.mark.parametrize("name", ["per_user_random", "stratified"])
@given(log=logs(), seed=SEEDS)
@settings(deadline=None)
def test_each_user_with_three_events_has_every_part(name: str, log: Events, seed: int) -> None:
    part_E = divided(log, name, seed)
    for user in set(log.user_E.tolist()):
        own = part_E[log.user_E == user]
        counts = [int((own == part).sum()) for part in (TRAIN, VALIDATION, TEST)]
        assert counts[1] == counts[2] == (0 if len(own) < 3 else counts[1])
        assert len(own) < 3 or (counts[1] >= 1 and counts[0] >= 1)


@given(log=logs(), seed=SEEDS, ordered=st.booleans())
@settings(deadline=None)
def test_user_based_learns_nothing_of_whom_it_asks(log: Events, seed: int, ordered: bool) -> None:
    log = Events(log.user_E, log.item_E, log.time_E, log.label_E, ordered)
    part_E = divided(log, "user_based", seed)
    learned, asked, tuned = (
        of_part(log, part_E, *parts)[0] for parts in ((TRAIN,), (TEST, TEST_INPUT), (VALIDATION, VALIDATION_INPUT))
    )
    assert not learned & asked and not learned & tuned and not asked & tuned
    for user in asked:
        own = part_E[log.user_E == user].tolist()
        assert own.count(TEST) >= 1 and own.count(TEST_INPUT) >= 1
        assert not ordered or own == sorted(own, reverse=True)  # what is given comes before what is asked


@given(log=logs(), seed=SEEDS)
@settings(deadline=None)
def test_item_based_learns_nothing_of_what_it_asks_for(log: Events, seed: int) -> None:
    part_E = divided(log, "item_based", seed)
    learned, tuned, asked = (of_part(log, part_E, part)[1] for part in (TRAIN, VALIDATION, TEST))
    assert not learned & asked and not learned & tuned and not asked & tuned


def test_stratified_takes_from_popular_and_rare_items_alike() -> None:
    """User 0 had 20 items, of which ten are had by all others: one of each ten is test, one validation."""
    others = [(user, item) for user in range(1, 9) for item in range(10)]
    pairs = [(0, item) for item in range(20)] + others
    log = events([u for u, _ in pairs], [i for _, i in pairs])
    for seed in range(20):
        own = split_events(log, "stratified", seed)[:20]
        for stratum in (own[:10], own[10:]):
            assert sorted(stratum.tolist()) == [TRAIN] * 8 + [VALIDATION, TEST]


def test_the_data_s_own_split_is_taken_as_it_is() -> None:
    labels = [TEST, TRAIN, VALIDATION, TRAIN]
    assert split_events(events([0, 0, 0, 1], [0, 1, 2, 3], labels=labels), "file", 0).tolist() == labels


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("file", "protocol file needs a split"),
        ("global_time", "protocol global_time needs timestamps"),
        ("leave_last_out", "needs to know what came last"),
        ("by_moon", "unknown protocol 'by_moon': name one of file, global_time"),
    ],
)
def test_a_protocol_that_the_data_is_not_for_is_refused(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        split_events(events([0, 0, 0], [0, 1, 2], ordered=False), name, 0)


def test_events_of_one_moment_cannot_be_divided_by_time() -> None:
    with pytest.raises(UsageError, match="global_time leaves no events to train on"):
        split_events(events([0, 0, 1, 1], [0, 1, 0, 1], [5] * 4), "global_time", 0)


@pytest.mark.parametrize(
    ("log", "usual"),
    [
        (events([0], [0], [1], labels=[0]), "file"),
        (events([0], [0], [1]), "global_time"),
        (events([0], [0]), "leave_last_out"),
        (events([0], [0], ordered=False), "per_user_random"),
    ],
)
def test_the_usual_protocol_is_the_strictest_that_the_data_allows(log: Events, usual: str) -> None:
    assert split_protocols.default_protocol(log) == usual
