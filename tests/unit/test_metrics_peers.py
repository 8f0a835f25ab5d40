"""The same example by libraries that others use: trec_eval (through pytrec_eval) and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval
from sklearn.metrics import f1_score, mean_absolute_error, ndcg_score, root_mean_squared_error

from recsys_jobs.evaluation import metrics
from tests.unit.test_metrics import ITEMS, SLATES, TARGETS, measured

RELEVANT = {str(row): {str(item): 1 for item in wanted} for row, wanted in enumerate(TARGETS)}


def trec_eval(name: str, key: str, k: int) -> list[float]:
    """Return a measure of each user's slate cut to K places; trec_eval ranks by score, so the first gets most."""
    run = {
        str(row): {str(item): float(k - rank) for rank, item in enumerate(slate[:k]) if item >= 0}
        for row, slate in enumerate(SLATES.tolist())
    }
    found = pytrec_eval.RelevanceEvaluator(RELEVANT, {name}).evaluate(run)
    return [found[str(row)][key] for row in range(len(SLATES))]


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("precision", "P"),
        ("recall", "recall"),
        ("ndcg", "ndcg_cut"),
        ("hit_rate", "success"),
    ],
)
def test_trec_eval_agrees_at_a_cut(ours: str, theirs: str, k: int) -> None:
    assert measured(ours, SLATES, TARGETS, k) == pytest.approx(trec_eval(f"{theirs}.{k}", f"{theirs}_{k}", k))


@pytest.mark.parametrize("k", [1, 2, 4])
def test_trec_eval_agrees_on_the_first_hits_rank(k: int) -> None:
    assert measured("mrr", SLATES, TARGETS, k) == pytest.approx(trec_eval("recip_rank", "recip_rank", k))


def test_trec_eval_agrees_on_the_f_measure_of_full_slates() -> None:
    """Its precision is over what was shown, ours over K: the third slate, short of K, has no hit, so both are 0."""
    assert measured("f1", SLATES, TARGETS, 4) == pytest.approx(trec_eval("set_F", "set_F", 4))


def test_trec_eval_agrees_on_average_precision_where_the_targets_fit_the_slate() -> None:
    """Nobody has more than 4 targets, so min(K, targets) is trec_eval's denominator, the targets."""
    assert measured("map", SLATES, TARGETS, 4) == pytest.approx(trec_eval("map_cut.4", "map_cut_4", 4))


def test_average_precision_below_the_targets_differs_by_the_denominator_alone() -> None:
    """At K = 2 the second user has 3 targets: trec_eval divides by 3, we by the 2 that a slate can show."""
    theirs = trec_eval("map_cut.2", "map_cut_2", 2)
    scaled = [value * len(wanted) / min(2, len(wanted)) for value, wanted in zip(theirs, TARGETS, strict=True)]
    assert theirs[1] == pytest.approx(1 / 3)
    assert measured("map", SLATES, TARGETS, 2) == pytest.approx(scaled)


@pytest.mark.parametrize("k", [2, 3])
def test_scikit_learn_agrees_on_f1(k: int) -> None:
    """Every slate has three items at least, so what is shown has K places, as our precision counts."""
    shown, wanted = np.zeros((2, len(SLATES), ITEMS), np.int64)
    for row, slate in enumerate(SLATES):
        shown[row, slate[:k]] = 1
        wanted[row, list(TARGETS[row])] = 1
    expected = [f1_score(wanted[row], shown[row]) for row in range(len(SLATES))]
    assert measured("f1", SLATES, TARGETS, k) == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_scikit_learn_agrees_on_ndcg_of_a_ranking_of_all_items(k: int) -> None:
    """It ranks every item by score and averages users: one user at a time, distinct scores, nothing tied."""
    rankings = np.array([[5, 2, 7, 1, 0, 3, 4, 6], [0, 3, 6, 2, 1, 4, 5, 7], [1, 2, 3, 0, 6, 7, 4, 5]])
    score, wanted = np.empty((2, len(rankings), ITEMS))
    for row, ranking in enumerate(rankings):
        score[row, ranking] = np.arange(ITEMS, 0, -1)
        wanted[row] = np.isin(np.arange(ITEMS), list(TARGETS[row]))
    expected = [ndcg_score(wanted[row : row + 1], score[row : row + 1], k=k) for row in range(len(rankings))]
    assert measured("ndcg", rankings, TARGETS, k) == pytest.approx(expected)


def test_scikit_learn_agrees_on_the_errors_of_stars() -> None:
    predicted, actual = np.array([4.0, 2.0, 5.0, 3.5]), np.array([5.0, 2.0, 3.0, 1.0])
    assert metrics.rmse(predicted, actual) == pytest.approx(root_mean_squared_error(actual, predicted))
    assert metrics.mae(predicted, actual) == pytest.approx(mean_absolute_error(actual, predicted))
