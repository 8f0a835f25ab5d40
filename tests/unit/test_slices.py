"""Cold people and cold items: who and what is in their slices, and new items ranked among themselves."""

from __future__ import annotations

from dataclasses import replace
from math import log2

import numpy as np
import pytest
import torch

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.evaluation.sampled_negatives import Negatives
from recsys_jobs.evaluation.slices import AMONG_NEW_ITEMS, NOTES, new_items, slices
from recsys_jobs.evaluation.top_k_evaluation import evaluate_top_k
from recsys_jobs.models.closed_form import popularity
from recsys_jobs.night.report_page import render
from recsys_jobs.promotion.gate import Decision
from tests.unit.test_exam import pairs, value
from tests.unit.test_ranking import Table, product
from tests.unit.worlds import dataset

DAY = 86_400
# user, item, second: the newest event is of day 100
EVENTS = [(0, 0, 10 * DAY), (0, 2, 70 * DAY - 1), (0, 5, -1), (1, 1, 70 * DAY), (1, 0, 100 * DAY), (2, 3, 99 * DAY)]
NEW = [False, True, False, True, True, False]  # nobody had item 4; when item 5 was had is unknown
SCORES = torch.tensor([[9.0, 8, 7, 6, 5, 4], [0, 9, 8, 5, 6, 7], [6, 5, 4, 3, 2, 1]])
HOLDOUT = pairs((0, 4), (1, 3), (2, 0), (2, 2))


def shop() -> Dataset:
    """Three people with three, two and one events; of six items three are new."""
    return dataset([(u, i) for u, i, _ in EVENTS], 3, 6, time_E=np.array([second for *_, second in EVENTS]))


def test_few_events_counts_all_events_and_not_the_core_s_alone() -> None:
    core_E = np.array([True, False, False, True, True, True])
    found = slices(replace(shop(), in_core_E=core_E), np.array([0, 1, 2]), np.array([4, 3, 2]))
    assert found["few_events"].tolist() == [False, True, True]


def test_an_item_is_new_up_to_thirty_days_and_without_an_event() -> None:
    """Item 1 was first had 30 days before the newest event, item 2 a second earlier."""
    assert new_items(shop()).tolist() == NEW
    assert slices(shop(), np.array([0, 1, 2]), np.array([4, 3, 2]))["new_items"].tolist() == [True, True, False]


@pytest.mark.parametrize("time_E", [np.zeros(0, np.int64), np.full(len(EVENTS), -1)])
def test_without_times_an_item_is_new_that_nobody_had(time_E: np.ndarray) -> None:
    assert np.flatnonzero(new_items(replace(shop(), time_E=time_E))).tolist() == [4]


def test_new_items_among_themselves_by_hand() -> None:
    """User 0 sees 1 3 4 and user 1, who has item 1, sees 4 3; user 2 is asked for old items alone."""
    result = evaluate_top_k(Table(SCORES), shop(), HOLDOUT, k_values=[1, 3])
    assert value(result, AMONG_NEW_ITEMS, "ndcg", 3) == pytest.approx((1 / log2(4) + 1 / log2(3)) / 2)
    assert value(result, AMONG_NEW_ITEMS, "mrr", 3) == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert value(result, AMONG_NEW_ITEMS, "hit_rate", 1) == 0.0
    assert value(result, "new_items", "ndcg", 3) == pytest.approx((1 / log2(4) + 0) / 2)  # user 1: 2 5 4
    assert {row.users for row in result.rows if row.slice in (AMONG_NEW_ITEMS, "new_items")} == {2}


def test_what_a_user_had_and_what_is_blocked_is_not_ranked_among_the_new() -> None:
    result = evaluate_top_k(Table(SCORES), shop(), HOLDOUT, k_values=[1], blocked_items=np.array([1, 3]))
    assert value(result, AMONG_NEW_ITEMS, "hit_rate", 1) == 0.5  # user 0 sees 4, which it is asked for


def test_popularity_ranks_new_items_by_their_events() -> None:
    """One person each had items 1 and 3, nobody item 4; user 1 has 1, so that its first place is item 3."""
    result = evaluate_top_k(popularity.fit(shop()), shop(), HOLDOUT, k_values=[3])
    assert value(result, AMONG_NEW_ITEMS, "mrr", 3) == pytest.approx((1 / 3 + 1) / 2)


def test_the_other_slices_do_not_depend_on_what_is_new() -> None:
    timed, timeless = (
        {
            row
            for row in evaluate_top_k(Table(SCORES), data, HOLDOUT, k_values=[1, 3]).rows
            if "new_items" not in row.slice
        }
        for data in (shop(), replace(shop(), time_E=np.zeros(0, np.int64)))
    )
    assert timed == timeless


def test_nobody_is_asked_for_a_new_item_where_none_is_new() -> None:
    data = dataset([(0, 0), (0, 1), (1, 2), (1, 3)], 2, 4)
    result = evaluate_top_k(product(torch.eye(2), torch.ones(4, 2)), data, pairs((0, 2)), k_values=[2])
    assert {row.slice for row in result.rows} >= {"all", "few_events"}
    assert not {row.slice for row in result.rows} & {"new_items", AMONG_NEW_ITEMS}


def test_a_sampled_ranking_says_nothing_of_new_items_among_themselves() -> None:
    result = evaluate_top_k(Table(SCORES), shop(), HOLDOUT, k_values=[3], negatives=Negatives(2, "random"))
    assert "new_items" in {row.slice for row in result.rows}
    assert AMONG_NEW_ITEMS not in {row.slice for row in result.rows}


def test_the_report_says_what_the_slices_of_what_is_cold_are() -> None:
    found = evaluate_top_k(Table(SCORES), shop(), HOLDOUT, k_values=[3]).rows
    rows = [row._asdict() | {"recipe": "shop"} for row in found]
    page = render("night", Decision("passed", "shop", "why"), {}, rows, 3, {})
    for name, note in NOTES.items():
        assert f"The exam: {name}</h2>\n<p>{note}</p>" in page
