"""Maximal marginal relevance against a loop over the paper's formula, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.evaluation import metrics
from recsys_jobs.ranking import maximal_marginal_relevance
from recsys_jobs.ranking.top_k import Slates
from tests.unit.worlds import dataset, with_everything


def slates(item_BC: list[list[int]], score_BC: list[list[float]]) -> Slates:
    items, scores = np.array(item_BC), np.array(score_BC, np.float32)
    return Slates(np.arange(len(items)), items, scores, (items >= 0).sum(1))


def by_loop(items: list[int], scores: list[float], vectors: np.ndarray, weight: float, k: int) -> list[int]:
    """The formula of the paper, one pair of items at a time."""
    left = [item for item in items if item >= 0]
    low, high = min(scores[: len(left)]), max(scores[: len(left)])
    relevance = {item: (score - low) / (high - low) for item, score in zip(left, scores, strict=False)}
    slate: list[int] = []
    while left and len(slate) < k:
        best, best_value = -1, -np.inf
        for item in left:
            alike = [
                float(vectors[item] @ vectors[shown] / np.linalg.norm(vectors[item]) / np.linalg.norm(vectors[shown]))
                for shown in slate
            ]
            value = (1 - weight) * relevance[item] - weight * max(alike, default=0.0)
            if value > best_value:
                best, best_value = item, value
        slate.append(best)
        left.remove(best)
    return slate


@pytest.mark.parametrize("weight", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_slates_are_those_of_the_papers_formula(weight: float) -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(60, 4))
    items = [random.permutation(60)[:30].tolist() for _ in range(300)]  # more than one block
    scores = [np.sort(random.normal(size=30))[::-1].tolist() for _ in range(300)]
    items[7][12:] = [-1] * 18
    scores[7][12:] = [-np.inf] * 18
    found = list(maximal_marginal_relevance.rerank([slates(items, scores)], vectors, weight, 15))
    got = np.concatenate([block.item_BK for block in found])
    assert got.shape == (300, 15)
    scores = [np.array(one, np.float32).astype(float).tolist() for one in scores]
    for user in range(300):
        expected = by_loop(items[user], scores[user], vectors, weight, 15)
        assert got[user].tolist() == expected + [-1] * (15 - len(expected))


def test_a_twin_of_the_best_gives_way_and_keeps_its_score() -> None:
    vectors = np.array([[1.0, 0], [1.0, 0.01], [0, 1.0]], np.float32)
    (found,) = maximal_marginal_relevance.rerank([slates([[0, 1, 2]], [[3.0, 2.9, 1.0]])], vectors, 0.6, 2)
    assert found.item_BK.tolist() == [[0, 2]]
    assert found.score_BK.tolist() == [[3.0, 1.0]]
    assert found.count_B.tolist() == [2]


def test_more_weight_is_no_less_variety_on_the_whole() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(80, 6)).astype(np.float32)
    given = slates([random.permutation(80)[:40].tolist() for _ in range(50)],
                   [np.sort(random.normal(size=40))[::-1].tolist() for _ in range(50)])  # fmt: skip
    variety = [
        metrics.diversity(
            next(iter(maximal_marginal_relevance.rerank([given], vectors, weight, 8))).item_BK, vectors
        ).mean()
        for weight in (0.0, 0.3, 0.6, 0.9)
    ]
    assert variety == sorted(variety)
    assert variety[-1] > variety[0] + 0.1


def test_texts_come_before_images_and_what_has_neither_is_said() -> None:
    world = with_everything()
    vectors = maximal_marginal_relevance.content_vectors(world)
    assert vectors.shape == world.text_IT.shape
    assert not vectors[~world.text_present_I].any()
    assert np.abs(vectors[world.text_present_I].mean(0)).max() < 1e-6
    with pytest.raises(UsageError, match="none has any"):
        maximal_marginal_relevance.content_vectors(dataset([(0, 0)], 1, 2))
    with pytest.raises(UsageError, match="--diversity 2: write a weight from 0"):
        maximal_marginal_relevance.check_weight(2)
