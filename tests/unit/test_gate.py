"""The gate can say yes, no, and that it cannot tell."""

from __future__ import annotations

import pytest

from recsys_jobs.promotion.gate import Difference, GateMetrics, decide

FLOOR = GateMetrics("ease_text", ndcg=0.100, coverage=0.40, finite=True)
RULES = {"min_users": 200, "margin": 0.05, "min_coverage": 0.5}


def model(ndcg: float = 0.1, coverage: float = 0.4, finite: bool = True) -> GateMetrics:
    return GateMetrics("sage_fm", ndcg, coverage, finite)


@pytest.mark.parametrize(
    ("measured", "difference", "decision", "publishes", "says"),
    [
        (model(), Difference(0.010, 0.002, 0.018, 400), "passed", "sage_fm", "sage_fm passed: NDCG differs by +0.0100"),
        (model(), Difference(0.000, -0.005, 0.005, 400), "passed", "sage_fm", "on 400 users"),
        (model(), Difference(0.000, -0.006, 0.006, 400), "failed", "ease_text", "below the margin of -0.0050"),
        (model(coverage=0.19), Difference(0.01, 0.0, 0.02, 400), "failed", "ease_text", "cover 19.0% of the items"),
        (model(finite=False), Difference(0.01, 0.0, 0.02, 400), "failed", "ease_text", "not finite"),
        (model(), Difference(0.05, 0.03, 0.07, 199), "undecided", "ease_text", "199 holdout users are too few"),
    ],
    ids=["better", "on the margin", "below the margin", "too narrow", "not finite", "too few users"],
)
def test_decision(measured: GateMetrics, difference: Difference, decision: str, publishes: str, says: str) -> None:
    result = decide(measured, FLOOR, difference, **RULES)
    assert (result.decision, result.publishes) == (decision, publishes)
    assert says in result.reason
