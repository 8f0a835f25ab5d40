"""The same example by libraries that others use; each test skips where its library is not installed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.test_metrics import SLATES, TARGETS, measured

RUN = {
    str(row): {str(item): float(len(slate) - rank) for rank, item in enumerate(slate) if item >= 0}
    for row, slate in enumerate(SLATES.tolist())
}
RELEVANT = {str(row): {str(item): 1 for item in wanted} for row, wanted in enumerate(TARGETS)}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("precision", "P_4"),
        ("recall", "recall_4"),
        ("ndcg", "ndcg_cut_4"),
        ("hit_rate", "success_4"),
        ("mrr", "recip_rank"),
    ],
)
def test_trec_eval_agrees(ours: str, theirs: str) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="peer library pytrec_eval is not installed")
    family = {"P.4", "recall.4", "ndcg_cut.4", "success.4", "recip_rank"}
    found = pytrec_eval.RelevanceEvaluator(RELEVANT, family).evaluate(RUN)
    expected = [found[str(row)][theirs] for row in range(len(SLATES))]
    assert measured(ours, SLATES, TARGETS, 4) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["precision", "recall", "f1", "hit_rate", "mrr", "ndcg"])
@pytest.mark.parametrize("k", [2, 4])
def test_ranx_agrees(name: str, k: int) -> None:
    ranx = pytest.importorskip("ranx", reason="peer library ranx is not installed")
    found = ranx.evaluate(ranx.Qrels(RELEVANT), ranx.Run(RUN), f"{name}@{k}", return_mean=False)
    assert measured(name, SLATES, TARGETS, k) == pytest.approx(np.asarray(found).tolist())
