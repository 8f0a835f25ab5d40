"""The in-memory contract refuses what breaks it, in one line."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from recsys_jobs.contracts.errors import JobError
from tests.unit.worlds import dataset, with_everything


def test_train_events_are_the_core_outside_validation() -> None:
    data = dataset([(0, 0), (0, 1), (1, 0), (1, 1)], 2, 2, validation=1, in_core_E=np.array([True, False, True, True]))
    assert data.train_events().tolist() == [True, False, True, False]


def test_pair_keys_are_sorted() -> None:
    assert dataset([(1, 0), (0, 2), (0, 1)], 2, 3).pair_keys().tolist() == [1, 2, 3]


def test_ratings_times_numbers_and_genres_may_be_absent_or_unknown() -> None:
    data = dataset([(0, 0), (0, 1)], 1, 2)
    assert (len(data.rating_E), len(data.time_E), data.numeric_IN.shape, data.genre_IG.shape) == (0, 0, (0, 0), (0, 0))
    known = dataclasses.replace(data, rating_E=np.array([5, np.nan], np.float32), time_E=np.array([1, -1]))
    assert known.rating_E[0] == 5


BROKEN = {
    "users are not sorted": {"users": ["b", "a"]},
    "items are not sorted, or one stands twice": {"items": ["a", "a", "b"]},
    "event_item_E leaves": {"event_item_E": np.array([0, 3], np.int64)},
    "a user and item pair stands twice": {"event_item_E": np.array([0, 0], np.int64)},
    "review_E does not have one value per event": {"review_E": np.array([-1], np.int64)},
    "event_user_E holds int32": {"event_user_E": np.array([0, 0], np.int32)},
    "text_IT has a value that is not finite": {"text_IT": np.full((3, 6), np.nan, np.float32)},
    "an edge joins an item to itself": {"edge_src_K": np.array([1]), "edge_dst_K": np.array([1])},
    "an edge's weight is not above 0": {"edge_weight_K": np.zeros(1, np.float32)},
    "rating_E does not have one value per event": {"rating_E": np.ones(1, np.float32)},
    "genre_IG does not have one row per item": {"genre_IG": np.ones((2, 1), np.bool_)},
    "reviews and item texts differ in width": {"review_RT": np.zeros((0, 5), np.float32)},
}


@pytest.mark.parametrize("message", BROKEN)
def test_what_is_broken_is_named(message: str) -> None:
    edge = {"edge_src_K": np.array([0]), "edge_dst_K": np.array([1]), "edge_weight_K": np.ones(1, np.float32)}
    with pytest.raises(JobError, match=message):
        dataclasses.replace(dataset([(0, 0), (0, 1)], 2, 3), **(edge | BROKEN[message]))


def test_an_edge_in_both_directions_stands_twice() -> None:
    data = with_everything()
    with pytest.raises(JobError, match="an edge stands twice"):
        dataclasses.replace(
            data,
            edge_src_K=np.array([0, 1]),
            edge_dst_K=np.array([1, 0]),
            edge_weight_K=np.ones(2, np.float32),
        )
