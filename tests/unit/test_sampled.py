"""Sampled negatives: who is drawn, that all models get the same, and that the figures flatter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation import sampled_negatives
from recsys_jobs.evaluation.full_ranking import evaluate_full_ranking
from recsys_jobs.evaluation.sampled_negatives import Negatives, draw_candidates
from recsys_jobs.evaluation.top_k_evaluation import evaluate_top_k
from recsys_jobs.models.closed_form import random_scores
from tests.unit.test_ranking import Table
from tests.unit.worlds import dataset

HAD = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 1)]


def candidates(
    count: int, strategy: str, targets: list[tuple[int, int]], items: int = 8, seed: int = 0
) -> list[list[int]]:
    """The candidates of users 0 and 1, without the empty places."""
    row_T, item_T = (np.array(column, np.int64) for column in zip(*targets, strict=True))
    hidden = sparse.csr_matrix((np.ones(1, bool), ([0], [7])), shape=(3, items))
    found = draw_candidates(
        dataset(HAD, 3, items), np.array([0, 1]), row_T, item_T, hidden, Negatives(count, strategy, seed)
    )
    return [[int(item) for item in row if item >= 0] for row in found]


@pytest.mark.parametrize("seed", range(10))
def test_targets_and_so_many_others_that_the_user_neither_had_nor_has_masked(seed: int) -> None:
    first, second = candidates(2, "random", [(0, 5), (1, 3), (1, 6)], seed=seed)
    assert len(first) == 3 and 5 in first and not set(first) & {0, 1, 7}
    assert len(second) == 4 and {3, 6} < set(second) and not set(second) & {1, 2}
    assert first == sorted(first)


def test_fewer_where_no_more_are_left() -> None:
    assert candidates(100, "random", [(0, 5), (1, 3)]) == [[2, 3, 4, 5, 6], [0, 3, 4, 5, 6, 7]]


def test_by_popularity_only_what_somebody_had() -> None:
    """User 0 may still get item 2, user 1 item 0; nobody had items 3 to 7."""
    assert candidates(100, "popularity", [(0, 5), (1, 3)]) == [[2, 5], [0, 3]]


def test_every_item_is_drawn_as_often_as_its_weight_says() -> None:
    """Item 1 was had by nine users, items 2 to 10 by one each: one negative is item 1 in half of the draws."""
    had = [(user, 1) for user in range(9)] + [(user, 2 + user) for user in range(9)]
    log = dataset(had, 2_009, 12)
    users = np.arange(9, 2_009)
    row_T = np.arange(2_000)
    found_UC = draw_candidates(log, users, row_T, np.zeros(2_000, np.int64), None, Negatives(1, "popularity"))
    assert (found_UC == 1).any(1).mean() == pytest.approx(0.5, abs=0.04)
    found_UC = draw_candidates(log, users, row_T, np.zeros(2_000, np.int64), None, Negatives(1, "random"))
    assert (found_UC == 1).any(1).mean() == pytest.approx(1 / 11, abs=0.03)


def test_blocks_of_users_change_no_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    once = candidates(2, "random", [(0, 5), (1, 3)])
    monkeypatch.setattr(sampled_negatives, "_KEYS", 8)
    assert candidates(2, "random", [(0, 5), (1, 3)]) == once


@pytest.fixture
def noise() -> tuple[Dataset, Holdout]:
    """Fifty users of 400 items, one target each."""
    users: Ints = np.arange(50)
    return dataset([(int(u), 0) for u in users], 50, 400), Holdout(users, users + 100)


@pytest.mark.parametrize("strategy", ["random", "popularity"])
def test_noise_looks_far_better_among_a_few(noise: tuple[Dataset, Holdout], strategy: str) -> None:
    model = random_scores.fit(noise[0])
    full = evaluate_top_k(model, *noise, k_values=[10])
    few = evaluate_top_k(model, *noise, k_values=[10], negatives=Negatives(19, strategy))
    assert full.per_user("recall", 10).mean() < 0.1 < 0.3 < few.per_user("recall", 10).mean()
    assert {row.metric for row in few.rows}.isdisjoint({"coverage", "gini", "novelty", "diversity"})


def test_among_candidates_the_best_come_first_ties_by_item() -> None:
    """Candidates are targets 2 and 4 of user 0 and everything else it did not have; 4 and 5 tie."""
    scores = torch.tensor([[9.0, 9, 3, 1, 5, 5]])
    log, holdout = dataset([(0, 0), (0, 1)], 1, 6), Holdout(np.array([0, 0]), np.array([2, 4]))
    result = evaluate_top_k(Table(scores), log, holdout, k_values=[1, 3], negatives=Negatives(10, "random"))
    assert result.per_user("precision", 1).tolist() == [1.0]
    assert result.per_user("recall", 3).tolist() == [1.0]  # 4, 5, 2
    (auc,) = [
        r.value
        for r in evaluate_full_ranking(Table(scores), log, holdout, negatives=Negatives(10, "random"))
        if (r.slice, r.metric) == ("all", "auc")
    ]
    assert auc == pytest.approx(3 / 4)  # 4 stands above 5 and 3; 2 above 3 alone


def test_a_score_that_is_not_finite_stands_last_and_is_reported() -> None:
    scores = torch.tensor([[torch.nan, 1.0, 2.0]])
    log, holdout = dataset([], 1, 3), Holdout(np.array([0]), np.array([0]))
    result = evaluate_top_k(Table(scores), log, holdout, k_values=[3], negatives=Negatives(5, "random"))
    assert not result.finite
    assert result.per_user("mrr", 3).tolist() == [pytest.approx(1 / 3)]
