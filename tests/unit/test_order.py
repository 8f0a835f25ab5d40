"""The whole order: each metric against typed examples and a slow obvious loop."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation import full_ranking
from recsys_jobs.evaluation.full_ranking import evaluate_full_ranking, rank_metrics
from recsys_jobs.evaluation.top_k_evaluation import MetricRow
from tests.unit.test_ranking import Table
from tests.unit.worlds import dataset


def figures(rows: list[MetricRow], name: str = "all") -> dict[str, float]:
    return {row.metric: row.value for row in rows if row.slice == name}


def test_two_users_by_hand() -> None:
    """User 0 has its targets at ranks 1 and 4 of 5, user 1 its one at rank 3 of 4."""
    found = rank_metrics(np.array([1, 0, 0]), np.array([3, 4, 1]), np.array([5, 4]))
    assert found["auc"] == pytest.approx([(3 / 3 + 1 / 3) / 2, 1 / 3])
    assert found["mean_rank"].tolist() == [2.5, 3]
    assert found["mrr"].tolist() == [1, 1 / 3]
    assert found["map"].tolist() == [(1 + 2 / 4) / 2, 1 / 3]
    assert found["ndcg"] == pytest.approx([(1 + 1 / log2(5)) / (1 + 1 / log2(3)), 1 / log2(4)])


def test_who_has_no_other_candidate_ranks_perfectly() -> None:
    assert rank_metrics(np.array([0]), np.array([1]), np.array([1]))["auc"].tolist() == [1.0]


def slow(scores: list[float], owned: set[int], wanted: set[int]) -> dict[str, float]:
    left = sorted((item for item in range(len(scores)) if item not in owned), key=lambda item: (-scores[item], item))
    ranks = [rank for rank, item in enumerate(left, 1) if item in wanted]
    others = [item for item in left if item not in wanted]
    above = [sum(left.index(other) > left.index(item) for other in others) for item in wanted]
    return {
        "auc": sum(above) / len(wanted) / len(others) if others else 1.0,
        "mean_rank": sum(ranks) / len(ranks),
        "mrr": 1 / ranks[0],
        "map": sum(n / rank for n, rank in enumerate(ranks, 1)) / len(ranks),
        "ndcg": sum(1 / log2(r + 1) for r in ranks) / sum(1 / log2(n + 2) for n in range(len(ranks))),
    }


@given(seed=st.integers(0, 10_000), block=st.sampled_from([1, 7, 1_000]))
@settings(deadline=None, max_examples=60)
def test_a_slow_obvious_loop_agrees(seed: int, block: int) -> None:
    """Scores of few values tie often; some pairs are masked besides what is owned; blocks are of any size."""
    random = np.random.default_rng(seed)
    users, items = int(random.integers(1, 6)), int(random.integers(3, 12))
    kind_UI = random.integers(0, 5, (users, items))  # 0 owned, 1 masked, 2 target
    kind_UI[:, 0] = 2
    score_UI = torch.from_numpy(random.integers(0, 4, (users, items))).float()
    log = dataset([(int(u), int(i)) for u, i in np.argwhere(kind_UI == 0)], users, items)
    user_T, item_T = np.nonzero(kind_UI == 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(full_ranking, "_SCORES", block)
        rows = evaluate_full_ranking(
            Table(score_UI), log, Holdout(user_T, item_T), hidden_UI=sparse.csr_matrix(kind_UI == 1)
        )
    expected = [
        slow(score_UI[u].tolist(), set(np.flatnonzero(kind_UI[u] < 2)), set(np.flatnonzero(kind_UI[u] == 2)))
        for u in range(users)
    ]
    for metric, value in figures(rows).items():
        assert value == pytest.approx(np.mean([one[metric] for one in expected]))


def test_slices_have_their_own_targets_and_rows_have_no_cut() -> None:
    """Item 2 has an image, item 1 none: among all four items they stand at ranks 2 and 3."""
    log = dataset([], 1, 4, image_IV=np.ones((4, 1), np.float32), image_present_I=np.array([1, 0, 1, 1], np.bool_))
    rows = evaluate_full_ranking(
        Table(torch.tensor([[4.0, 2, 3, 1]])), log, Holdout(np.array([0, 0]), np.array([1, 2]))
    )
    assert figures(rows, "no_image")["mean_rank"] == 3
    assert figures(rows)["mean_rank"] == 2.5
    assert {row.k for row in rows} == {0}


def test_a_score_that_is_no_number_stands_last() -> None:
    rows = evaluate_full_ranking(
        Table(torch.tensor([[torch.nan, 1.0]])), dataset([], 1, 2), Holdout(np.array([0]), np.array([0]))
    )
    assert figures(rows)["mean_rank"] == 2
