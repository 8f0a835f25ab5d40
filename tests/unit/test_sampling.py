"""Positives, negatives, candidates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.training.pairwise import owned_among, positives, uniform_negatives
from recsys_jobs.training.sampling import batches, held_out, shared_candidates
from tests.unit.worlds import dataset, with_everything


def test_users_with_one_event_or_with_everything_give_no_pair() -> None:
    # user 0 has one event, user 1 two of three items, user 2 all of them
    data = dataset([(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)], 3, 3)
    everything = np.ones(6, np.bool_)
    pairs = positives(data, everything, everything)
    assert (pairs.user_P.tolist(), pairs.item_P.tolist(), pairs.pool_N.tolist()) == ([1, 1], [0, 1], [0, 1, 2])


def test_nothing_to_train_on_is_said() -> None:
    data = dataset([(0, 0), (1, 1)], 2, 2)
    with pytest.raises(JobError, match="nothing to train on: of 2 training events"):
        positives(data, np.ones(2, np.bool_), np.ones(2, np.bool_))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000))
def test_negatives_are_never_owned_and_of_the_core(seed: int) -> None:
    data = with_everything(seed)
    pairs = positives(data, data.train_events(), ~data.validation_E)
    negatives = uniform_negatives(pairs, pairs.user_P, np.random.default_rng(seed))
    owned = set(zip(data.event_user_E.tolist(), data.event_item_E.tolist(), strict=True))
    assert not owned & set(zip(pairs.user_P.tolist(), negatives.tolist(), strict=True))
    assert set(negatives.tolist()) <= set(data.event_item_E[data.in_core_E].tolist())


def test_what_nobody_had_is_compared_with_where_the_whole_catalogue_is_ranked() -> None:
    data = dataset([(0, 0), (0, 1), (1, 0), (1, 1)], 2, 4)
    everything = np.ones(4, np.bool_)
    assert positives(data, everything, everything, whole_catalogue=True).pool_N.tolist() == [0, 1, 2, 3]
    with pytest.raises(JobError, match="an item left to compare with"):
        positives(data, everything, everything)


def test_negatives_are_uniform_over_what_is_left() -> None:
    data = dataset([(0, 0), (0, 1), (1, 2), (1, 3), (1, 4)], 2, 5)
    pairs = positives(data, np.ones(5, np.bool_), np.ones(5, np.bool_))
    negatives = uniform_negatives(pairs, np.zeros(3000, np.int64), np.random.default_rng(0))
    counts = np.bincount(negatives, minlength=5)
    assert counts[:2].tolist() == [0, 0]
    assert counts[2:].min() > 900


def test_batches_cover_every_pair_once() -> None:
    made = batches(10, steps=3, min_batch=3, random=np.random.default_rng(0))
    assert sorted(len(batch) for batch in made) == [3, 3, 4]
    assert sorted(np.concatenate(made).tolist()) == list(range(10))
    assert len(batches(2, steps=24, min_batch=256, random=np.random.default_rng(0))) == 1


def test_owned_candidates_are_marked() -> None:
    data = dataset([(0, 0), (0, 3), (1, 1)], 2, 4)
    marked = owned_among(events_matrix(data), np.array([1, 0, 1]), np.array([1, 3]))
    assert marked.tolist() == [[True, False], [False, True], [True, False]]


def test_candidates_are_different_items_of_the_pool() -> None:
    data = with_everything()
    pairs = positives(data, data.train_events(), ~data.validation_E)
    few = shared_candidates(pairs.pool_N, 5, np.random.default_rng(0))
    assert len(set(few.tolist()) & set(pairs.pool_N.tolist())) == 5
    assert shared_candidates(pairs.pool_N, 500, np.random.default_rng(0)).tolist() == pairs.pool_N.tolist()


def test_a_share_of_each_user_s_targets_is_held_out_and_one_seen_item_stays() -> None:
    ten = [(0, item) for item in range(10)]
    data = dataset([*ten, (1, 0), (1, 5), (2, 3), (2, 4)], 3, 10)
    target_UI, seen_U = events_matrix(data), np.array([10, 2, 3])
    row_T, item_T = held_out(target_UI, seen_U, np.array([2, 0, 1]), 0.3, np.random.default_rng(0))
    assert np.bincount(row_T).tolist() == [1, 3, 1]
    assert len(set(zip(row_T.tolist(), item_T.tolist(), strict=True))) == 5
    owned = [{3, 4}, set(range(10)), {0, 5}]
    assert all(item in owned[row] for row, item in zip(row_T, item_T, strict=True))
    row_T, item_T = held_out(target_UI, seen_U, np.array([1, 2]), 1.0, np.random.default_rng(0))
    assert np.bincount(row_T).tolist() == [1, 2]


def test_every_target_is_as_likely_to_be_held_out() -> None:
    data = dataset([(0, 0), (0, 1), (0, 2)], 1, 3)
    random = np.random.default_rng(0)
    drawn = [held_out(events_matrix(data), np.array([3]), np.array([0]), 0.3, random)[1][0] for _ in range(3_000)]
    assert np.bincount(drawn).min() > 900
