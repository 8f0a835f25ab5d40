"""The exam: what counts as a target, slices, and that a model can fail it. Every model sits the same one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.top_k_evaluation import TopKEvaluation, evaluate_top_k
from recsys_jobs.models.closed_form import ease_text, popularity, random_scores, text_knn
from recsys_jobs.models.closed_form.recipe import ease_text as ease_recipe
from recsys_jobs.models.closed_form.recipe import text_knn as knn_recipe
from recsys_jobs.ranking.model import Model
from recsys_jobs.ranking.top_k import top_k
from tests.unit.test_ranking import Table
from tests.unit.worlds import dataset, two_tastes, with_everything

MODELS: dict[str, Callable[[Dataset], Model]] = {
    "ease_text": lambda data: ease_text.fit(data, ease_recipe()),
    "text_knn": lambda data: text_knn.fit(data, knn_recipe()),
    "popularity": popularity.fit,
    "random": random_scores.fit,
}
SCORES = torch.tensor([[9.0, 8, 7, 6, 5], [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]])


def value(result: TopKEvaluation, name: str, metric: str, k: int) -> float:
    (found,) = [row.value for row in result.rows if (row.slice, row.metric, row.k) == (name, metric, k)]
    return found


def pairs(*targets: tuple[int, int], dropped: int = 0) -> Holdout:
    return Holdout(np.array([u for u, _ in targets], np.int64), np.array([i for _, i in targets], np.int64), dropped)


def small_world() -> Dataset:
    """Users 0 and 1 are of the core, user 2 is not; of the core's items 0 and 1, item 1 has text and image."""
    return dataset(
        [(0, 0), (1, 1), (1, 0), (2, 4)],
        3,
        5,
        in_core_E=np.array([True, True, True, False]),
        text_IT=np.eye(5, 6, dtype=np.float32),
        text_present_I=np.array([False, True, True, False, False]),
        text_from_reviews_I=np.array([False, False, True, False, False]),
        image_IV=np.ones((5, 1), np.float32),
        image_present_I=np.array([False, True, False, False, False]),
    )


def test_values_by_user_and_by_slice() -> None:
    """Slates of two: user 0 sees 1 2, user 1 sees 4 3, user 2 sees 0 1."""
    holdout = pairs((2, 1), (0, 1), (0, 3), (1, 2))
    result = evaluate_top_k(Table(SCORES), small_world(), holdout, k_values=[1, 2])
    assert result.user_U.tolist() == [0, 1, 2]
    assert result.per_user("recall", 2).tolist() == [0.5, 0.0, 1.0]
    assert result.per_user("hit_rate", 1).tolist() == [1.0, 0.0, 0.0]
    assert value(result, "all", "recall", 2) == pytest.approx(0.5)
    assert value(result, "core", "recall", 2) == pytest.approx(0.25)
    assert value(result, "cold_users", "recall", 2) == 1.0
    assert value(result, "cold_items", "recall", 2) == 0.0  # items 2 and 3
    assert value(result, "no_image", "recall", 2) == 0.0  # the same two
    assert value(result, "no_text", "recall", 2) == 0.0  # 2 has no description, 3 no text at all
    assert value(result, "all", "coverage", 2) == pytest.approx(5 / 5)
    assert {row.users for row in result.rows if row.slice == "cold_items"} == {2}
    assert result.finite


def test_targets_that_are_owned_or_twice_do_not_count_and_dropped_ones_are_told() -> None:
    holdout = pairs((0, 1), (0, 1), (0, 0), dropped=3)
    result = evaluate_top_k(Table(SCORES), small_world(), holdout, k_values=[2])
    assert (result.targets, result.dropped) == (1, 3)
    assert result.per_user("recall", 2).tolist() == [1.0]


def test_a_score_that_is_not_finite_is_reported() -> None:
    scores = SCORES.clone()
    scores[1, 2] = torch.nan
    holdout = pairs((0, 1), (1, 2))
    assert not evaluate_top_k(Table(scores), small_world(), holdout, k_values=[4]).finite
    assert evaluate_top_k(Table(scores), small_world(), pairs((0, 1)), k_values=[4]).finite


def test_nobody_to_examine_gives_no_rows() -> None:
    result = evaluate_top_k(Table(SCORES), small_world(), pairs(), k_values=[2])
    assert result.rows == []
    assert len(result.per_user("ndcg", 2)) == 0


def test_rows_hold_each_number_once() -> None:
    result = evaluate_top_k(Table(SCORES), small_world(), pairs((0, 1), (2, 3)), k_values=[1, 2])
    keys = [(row.slice, row.metric, row.k) for row in result.rows]
    assert len(keys) == len(set(keys))
    assert {row.metric for row in result.rows if row.slice == "all"} == {
        *("precision", "recall", "f1", "hit_rate", "ndcg", "mrr", "map"),
        *("coverage", "gini", "novelty", "diversity"),
    }


@pytest.fixture(scope="module")
def tastes() -> tuple[Dataset, Holdout]:
    """Two tastes; everyone's next item is of the same taste as the last ones."""
    data = two_tastes(users=200, items=60, each=8)
    held = data.validation_E
    kept = {
        name: getattr(data, name)[~held]
        for name in ("event_user_E", "event_item_E", "in_core_E", "validation_E", "review_E")
    }
    past = dataset([], len(data.users), len(data.items), **kept)
    return past, Holdout(data.event_user_E[held], data.event_item_E[held])


def test_random_scores_fail_the_exam_that_the_floor_passes(tastes: tuple[Dataset, Holdout]) -> None:
    """53 items are left to each user, 23 of them of the taste: noise finds 10 in 53, taste 10 in 23."""
    recall = {
        name: value(evaluate_top_k(fit(tastes[0]), *tastes, k_values=[10]), "all", "recall", 10)
        for name, fit in MODELS.items()
    }
    assert recall["random"] == pytest.approx(10 / 53, abs=0.08)
    for floor in ("ease_text", "text_knn"):
        assert recall[floor] > 10 / 23 - 0.08
        assert recall[floor] > recall["random"] + 0.1


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("seed", range(5))
def test_no_model_shows_what_a_user_has_and_everyone_gets_k(name: str, seed: int) -> None:
    data = with_everything(seed)
    owned = set(zip(data.event_user_E.tolist(), data.event_item_E.tolist(), strict=True))
    shown = 0
    for slates in top_k(MODELS[name](data), data, 17, block=7):
        for user, items, count in zip(slates.user_B, slates.item_BK, slates.count_B, strict=True):
            mine = items[:count].tolist()
            assert len(set(mine)) == count == min(17, 20 - sum(u == user for u, _ in owned))
            assert not owned & {(int(user), item) for item in mine}
            shown += 1
    assert shown == len(data.users)
