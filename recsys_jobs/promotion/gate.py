"""The nightly gate: may the recipe in force publish, or does the floor? Pure numbers in, decision out.

A model passes if its NDCG at the published K is not inferior to the floor's by more than a named
margin (the lower end of the paired bootstrap interval decides), its slates reach at least half of
the floor's coverage, and its scores are finite. With too few users the decision is: undecided.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GateMetrics:
    """One model's results on the holdout: mean NDCG at K, catalogue coverage (0 to 1), finite scores."""

    recipe: str
    ndcg: float
    coverage: float
    finite: bool


@dataclass(frozen=True)
class Difference:
    """Mean paired difference in NDCG at K, recipe minus floor, with its 95 % interval, over `users`."""

    value: float
    low: float
    high: float
    users: int


@dataclass(frozen=True)
class Decision:
    """passed, failed or undecided; the recipe whose slate is published; the reason in one sentence."""

    decision: str
    publishes: str
    reason: str


def decide(
    model: GateMetrics,
    floor: GateMetrics,
    difference: Difference,
    *,
    min_users: int,
    margin: float,
    min_coverage: float,
) -> Decision:
    """Judge `model` against `floor`.

    `margin` is the share of the floor's NDCG that may be lost, `min_coverage` the share of the
    floor's coverage that must be reached, `min_users` the users a judgement needs.
    """
    if difference.users < min_users:
        why = f"{difference.users} holdout users are too few to judge by ({min_users} needed)"
        return Decision("undecided", floor.recipe, f"undecided: {why}; {floor.recipe} is published")
    failures = (
        _not_finite(model),
        _inferior(floor, difference, margin),
        _low_coverage(model, floor, min_coverage),
    )
    for failure in filter(None, failures):
        return Decision("failed", floor.recipe, f"{model.recipe} failed: {failure}; {floor.recipe} is published")
    ahead = _difference_text(difference)
    return Decision("passed", model.recipe, f"{model.recipe} passed: {ahead} against {floor.recipe}")


def _not_finite(model: GateMetrics) -> str:
    return "" if model.finite else "some scores are not finite"


def _inferior(floor: GateMetrics, difference: Difference, margin: float) -> str:
    allowed = -margin * floor.ndcg
    if difference.low >= allowed:
        return ""
    return f"{_difference_text(difference)}, and the interval reaches below the margin of {allowed:+.4f}"


def _low_coverage(model: GateMetrics, floor: GateMetrics, min_coverage: float) -> str:
    if model.coverage >= min_coverage * floor.coverage:
        return ""
    return f"its slates cover {model.coverage:.1%} of the items, the floor's {floor.coverage:.1%}"


def _difference_text(difference: Difference) -> str:
    interval = f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    return f"NDCG differs by {difference.value:+.4f} {interval} on {difference.users} users"
