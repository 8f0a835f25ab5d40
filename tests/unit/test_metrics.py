"""Each metric against hand-typed examples and against a slow obvious loop."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_jobs.evaluation import metrics

ITEMS = 8

# three users, slates of four; the second has three targets of which two are shown, the third none shown
SLATES = np.array([[5, 2, 7, 1], [0, 3, 6, 2], [1, 2, 3, -1]])
TARGETS = [{2}, {0, 6, 7}, {4, 5}]


def arrays(targets: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(row, item) for row, wanted in enumerate(targets) for item in sorted(wanted)]
    return np.array([row for row, _ in pairs], np.int64), np.array([item for _, item in pairs], np.int64)


def measured(name: str, slates: np.ndarray, targets: list[set[int]], k: int) -> list[float]:
    hit_UK = metrics.hits(slates, *arrays(targets), ITEMS)
    return metrics.PER_USER[name](hit_UK, np.array([len(wanted) for wanted in targets]), k).tolist()


@pytest.mark.parametrize(
    ("name", "k", "expected"),
    [
        ("precision", 4, [1 / 4, 2 / 4, 0]),
        ("precision", 2, [1 / 2, 1 / 2, 0]),
        ("recall", 4, [1, 2 / 3, 0]),
        ("f1", 4, [2 / 5, 4 / 7, 0]),
        ("hit_rate", 1, [0, 1, 0]),
        ("hit_rate", 4, [1, 1, 0]),
        ("mrr", 4, [1 / 2, 1, 0]),
        ("map", 4, [1 / 2, (1 + 2 / 3) / 3, 0]),
        ("map", 2, [1 / 2, 1 / 2, 0]),
        # the second user: hits at ranks 1 and 3 of a best possible 1, 2, 3
        ("ndcg", 4, [1 / log2(3), (1 + 1 / 2) / (1 + 1 / log2(3) + 1 / 2), 0]),
        ("ndcg", 2, [1 / log2(3), 1 / (1 + 1 / log2(3)), 0]),
    ],
)
def test_values_typed_by_hand(name: str, k: int, expected: list[float]) -> None:
    assert measured(name, SLATES, TARGETS, k) == pytest.approx(expected)


def slow(name: str, slate: list[int], wanted: set[int], k: int) -> float:
    shown = [item for item in slate[:k] if item >= 0]
    found = [rank for rank, item in enumerate(shown, start=1) if item in wanted]
    precision, recall = len(found) / k, len(found) / len(wanted)
    best = min(k, len(wanted))
    return {
        "precision": lambda: precision,
        "recall": lambda: recall,
        "f1": lambda: 2 * precision * recall / (precision + recall) if found else 0.0,
        "hit_rate": lambda: 1.0 if found else 0.0,
        "mrr": lambda: 1 / found[0] if found else 0.0,
        "map": lambda: sum(n / rank for n, rank in enumerate(found, start=1)) / best,
        "ndcg": lambda: sum(1 / log2(r + 1) for r in found) / sum(1 / log2(r + 1) for r in range(1, best + 1)),
    }[name]()


@st.composite
def slates_and_targets(draw: st.DrawFn) -> tuple[list[list[int]], list[set[int]]]:
    width = draw(st.integers(1, ITEMS))
    users = draw(st.integers(1, 5))
    slates = []
    for _ in range(users):
        filled = draw(st.integers(0, width))
        slates.append(draw(st.permutations(range(ITEMS)))[:filled] + [-1] * (width - filled))
    targets = [draw(st.sets(st.integers(0, ITEMS - 1), min_size=1)) for _ in range(users)]
    return slates, targets


@pytest.mark.parametrize("name", sorted(metrics.PER_USER))
@given(world=slates_and_targets(), k=st.integers(1, ITEMS + 2))
def test_a_slow_obvious_loop_agrees(name: str, world: tuple[list[list[int]], list[set[int]]], k: int) -> None:
    slates, targets = world
    expected = [slow(name, slate, wanted, k) for slate, wanted in zip(slates, targets, strict=True)]
    assert measured(name, np.array(slates), targets, k) == pytest.approx(expected)


def test_coverage_counts_the_items_that_some_slate_shows() -> None:
    assert metrics.coverage(SLATES, ITEMS) == pytest.approx(7 / 8)  # all but item 4


@pytest.mark.parametrize(
    ("slates", "expected"),
    [
        ([[0, 1], [2, 3]], 0.0),  # four items, each shown once
        ([[0, -1], [0, -1]], 0.75),  # one of four items everywhere: 1 - 1 / I
        ([[0, 1], [0, -1]], 0.5833333),  # counts 0 0 1 2: (-3*0 - 1*0 + 1*1 + 3*2) / (4 * 3)
    ],
)
def test_gini_of_four_items(slates: list[list[int]], expected: float) -> None:
    assert metrics.gini(np.array(slates), 4) == pytest.approx(expected)


def test_gini_of_no_slates_is_unknown() -> None:
    assert np.isnan(metrics.gini(np.array([[-1, -1]]), 4))


def test_novelty_is_the_mean_surprise_in_bits() -> None:
    owners = np.array([8, 4, 1, 0])  # of 8 users: 0, 1, 3 bits; nobody counts as one user
    novelty = metrics.novelty(np.array([[0, 1], [2, 3], [1, -1], [-1, -1]]), owners, users=8)
    assert novelty[:3].tolist() == [0.5, 3.0, 1.0]
    assert np.isnan(novelty[3])


def test_diversity_is_one_less_the_mean_cosine() -> None:
    vectors = np.array([[2, 0], [1, 0], [0, 3], [-1, 0], [0, 0]], dtype=np.float32)
    slates = np.array([[0, 1, -1], [0, 2, -1], [0, 3, -1], [0, 1, 2], [0, 4, -1]])
    diversity = metrics.diversity(slates, vectors)
    assert diversity[:4] == pytest.approx([0, 1, 2, 1 - 1 / 3])
    assert np.isnan(diversity[4])  # a single item with a vector makes no pair


@given(st.integers(0, 1_000))
def test_diversity_agrees_with_all_pairs(seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(ITEMS, 3)).astype(np.float32)
    slate = random.permutation(ITEMS)[:4]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = [float(unit[a] @ unit[b]) for a in slate for b in slate if a != b]
    assert metrics.diversity(slate[None, :], vectors, block=1)[0] == pytest.approx(1 - np.mean(cosines), abs=1e-5)


def test_rating_errors_in_stars() -> None:
    predicted, actual = np.array([4.0, 2.0, 5.0]), np.array([5.0, 2.0, 3.0])
    assert metrics.mae(predicted, actual) == pytest.approx(1.0)
    assert metrics.rmse(predicted, actual) == pytest.approx((5 / 3) ** 0.5)
