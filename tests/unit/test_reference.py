"""The snapshot rules in small: typed examples, and what must hold of any world."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys_jobs.data.k_core import k_core
from tests.snapshot_rules import (
    Event,
    choose_exam_cut,
    co_review_edges,
    first_events,
    id_codes,
    listed_edges,
    total_order,
    validation_part,
)

START = date(2014, 3, 1)


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2014, 3, day, hour, tzinfo=UTC)


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def days(*offsets: int) -> np.ndarray:
    return np.array([START + timedelta(days=offset) for offset in offsets], dtype="datetime64[D]")


def test_a_pair_stands_once_by_its_first_event_in_the_total_order():
    events = [
        Event("ann", "cup", at(2), "c"),
        Event("ann", "cup", at(1, 9), "b", rating=2.0),
        Event("ann", "cup", at(1, 9), "a", rating=3.0),
        Event("bob", "bag", at(1, 9), "z"),
        Event("bob", "cup", at(3), "y"),
    ]
    assert first_events(events, date(2014, 3, 2)) == [
        Event("bob", "bag", at(1, 9), "z"),
        Event("ann", "cup", at(1, 9), "a", rating=3.0),
    ]


def test_the_cut_has_the_events_before_the_end_of_its_day():
    events = [Event("ann", "cup", at(1, 23), "a"), Event("ann", "bag", at(2), "b")]
    assert [event.item_id for event in first_events(events, date(2014, 3, 1))] == ["cup"]


def test_codes_keep_the_order_of_the_ids():
    assert id_codes(["b", "a", "c", "a"]).tolist() == [1, 0, 2, 0]


def test_removing_an_item_may_remove_a_user_who_was_enough_before():
    #           user 0 loses item 2, then has one item left and goes, then item 0 has one user left
    user_E, item_E = ints(0, 0, 1, 1, 1, 2, 2, 2), ints(0, 2, 0, 1, 3, 1, 3, 4)
    assert k_core(user_E, item_E, 2, 2).tolist() == [False, False, False, True, True, True, True, False]


def test_a_k_core_may_be_empty():
    assert not k_core(ints(0, 1, 2), ints(0, 1, 2), 2, 2).any()
    assert k_core(ints(), ints(), 2, 2).tolist() == []


def test_the_last_tenth_of_the_core_is_validation_rounded_up():
    in_core_E = np.array([True] * 5 + [False] + [True] * 6 + [False])
    assert np.flatnonzero(validation_part(in_core_E, 0.1)).tolist() == [10, 11]
    assert not validation_part(in_core_E, 0.0).any()


def test_the_exam_cut_is_the_latest_day_that_leaves_enough_people_something_new():
    #  user 0: days 0 and 8; user 1: days 0 and 6; user 2: day 9 alone, no history
    user_E, day_E = ints(0, 1, 1, 0, 2), days(0, 0, 6, 8, 9)
    found = choose_exam_cut(user_E, day_E, date(2014, 3, 12), min_users=1, max_share=1.0)
    assert (found.day, found.users, found.pairs, found.decidable) == (date(2014, 3, 8), 1, 1, True)
    found = choose_exam_cut(user_E, day_E, date(2014, 3, 12), min_users=2, max_share=1.0)
    assert (found.day, found.users, found.pairs, found.decidable) == (date(2014, 3, 6), 2, 2, True)


def test_the_holdout_never_has_more_than_its_share():
    user_E, day_E = ints(0, 1, 1, 0, 2), days(0, 0, 6, 8, 9)
    found = choose_exam_cut(user_E, day_E, date(2014, 3, 12), min_users=2, max_share=0.4)
    assert (found.day, found.users, found.pairs, found.decidable) == (date(2014, 3, 7), 1, 1, False)


def test_with_everything_on_the_run_date_the_holdout_is_empty():
    found = choose_exam_cut(ints(0, 1), days(3, 3), date(2014, 3, 4), min_users=1, max_share=0.2)
    assert (found.day, found.users, found.pairs, found.decidable) == (date(2014, 3, 4), 0, 0, False)


def test_co_review_edges_count_people_and_stay_if_either_end_keeps_them():
    #  users 0 and 1 share items 0 and 1; user 2 has 0, 2; user 3 has 0, 3
    user_E, item_E = ints(0, 0, 1, 1, 2, 2, 3, 3), ints(0, 1, 1, 0, 0, 2, 3, 0)
    assert co_review_edges(user_E, item_E, 50, 50) == {(0, 1): 2, (0, 2): 1, (0, 3): 1}
    # item 0 keeps 1 alone; 2 and 3 have no other neighbour than 0
    assert co_review_edges(user_E, item_E, 50, 1) == {(0, 1): 2, (0, 2): 1, (0, 3): 1}


def test_of_equally_strong_edges_the_smaller_item_wins():
    # one person has all four: each item keeps its smallest neighbour, so 0 keeps 1, and 1, 2, 3 keep 0
    assert co_review_edges(ints(0, 0, 0, 0), ints(3, 2, 1, 0), 50, 1) == {(0, 1): 1, (0, 2): 1, (0, 3): 1}


def test_only_the_last_pairs_of_a_person_make_edges():
    assert co_review_edges(ints(0, 1, 0, 0), ints(5, 9, 2, 7), 2, 50) == {(2, 7): 1}


def test_listed_edges_weigh_two_where_each_lists_the_other():
    listed = {0: [1, 2, 0, 2], 1: [0, 9], 3: [2]}
    assert listed_edges(listed, {0, 1, 2, 3}) == {(0, 1): 2, (0, 2): 1, (2, 3): 1}


pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=9, unique=True)


def _is_core(chosen: tuple[tuple[int, int], ...], user_core: int, item_core: int) -> bool:
    users, items = [user for user, _ in chosen], [item for _, item in chosen]
    return all(users.count(user) >= user_core and items.count(item) >= item_core for user, item in chosen)


@given(pairs, st.integers(1, 3), st.integers(1, 3))
def test_the_k_core_is_the_union_of_all_sets_that_satisfy_its_rule(world, user_core, item_core):
    subsets = (chosen for size in range(len(world) + 1) for chosen in combinations(world, size))
    largest = {pair for chosen in subsets if _is_core(chosen, user_core, item_core) for pair in chosen}
    kept_E = k_core(ints(*[u for u, _ in world]), ints(*[i for _, i in world]), user_core, item_core)
    assert {pair for pair, kept in zip(world, kept_E, strict=True) if kept} == largest


events = st.lists(
    st.builds(
        Event,
        st.sampled_from("abcd"),
        st.sampled_from("wxyz"),
        st.builds(at, st.integers(1, 9), st.sampled_from([0, 12])),
        st.text("0123456789abcdef", min_size=4, max_size=4),
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda event: event.review_hash,
)


@given(events, st.integers(1, 9), st.randoms())
def test_later_events_and_the_order_of_rows_change_nothing_before_the_cut(world, day, random):
    cut = date(2014, 3, day)
    known = [event for event in world if event.reviewed_at < datetime(2014, 3, day, tzinfo=UTC) + timedelta(days=1)]
    random.shuffle(world)
    firsts = first_events(world, cut)
    assert firsts == first_events(known, cut)
    assert firsts == sorted(firsts, key=total_order)


def _world(world: list[Event], run_date: date) -> tuple[np.ndarray, np.ndarray]:
    firsts = first_events(world, run_date)
    day_E = np.array([event.reviewed_at.date() for event in firsts], dtype="datetime64[D]")
    return id_codes([event.user_id for event in firsts]), day_E


shares = st.sampled_from([0.0, 0.2, 0.5, 1.0])


@given(events, st.integers(1, 4), shares)
def test_the_exam_cut_by_its_definition(world, min_users, share):
    run_date = date(2014, 3, 11)
    firsts = first_events(world, run_date)
    held: dict[date, list[Event]] = {}
    for back in range(11):
        day = run_date - timedelta(days=back)
        new = [event for event in firsts if event.reviewed_at.date() > day]
        history = {event.user_id for event in firsts if event.reviewed_at.date() <= day}
        if history and len(new) <= share * len(firsts):
            held[day] = [event for event in new if event.user_id in history]
    enough = [day for day in held if len({event.user_id for event in held[day]}) >= min_users]
    wanted = max(enough) if enough else min(held)
    found = choose_exam_cut(*_world(world, run_date), run_date, min_users, share)
    assert (found.day, found.pairs, found.decidable) == (wanted, len(held[wanted]), bool(enough))


@given(events, st.integers(1, 4), shares)
def test_the_exam_cut_never_moves_back_as_nights_pass_nor_forward_as_more_users_are_asked_for(world, min_users, share):
    first = min(event.reviewed_at for event in world).date()
    nights = [first + timedelta(days=day) for day in range(12)]
    cuts = [choose_exam_cut(*_world(world, night), night, min_users, share).day for night in nights]
    assert cuts == sorted(cuts)
    stricter = [choose_exam_cut(*_world(world, night), night, min_users + 1, share).day for night in nights]
    assert all(more <= fewer for more, fewer in zip(stricter, cuts, strict=True))
