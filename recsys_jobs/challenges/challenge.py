"""Fits other recipes on a night's cuts, and puts one in force if it is better beyond doubt.

One challenger on a night's holdout: its 95 % paired bootstrap interval against the recipe in force must lie
above zero. Several on the same holdout, also one call after another: Holm's step-down correction (Holm 1979),
each interval at the level that its turn asks for; who passes is only nominated, and takes over when a
challenge on a later holdout confirms it. A recipe takes over from the night after the challenge's.
"""

from __future__ import annotations

import json
import logging
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.from_lake import load_dataset, load_holdout
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.bootstrap import resampled_means
from recsys_jobs.evaluation.top_k_evaluation import TopKEvaluation
from recsys_jobs.lake import delta
from recsys_jobs.lake.code_version import code_version
from recsys_jobs.lake.cuts import exam_cut
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.models.servable_terms import terms
from recsys_jobs.promotion import decision_log
from recsys_jobs.promotion.decision_log import Row
from recsys_jobs.promotion.gate import Difference
from recsys_jobs.promotion.measure import evaluate_fit, ndcg_difference
from recsys_jobs.promotion.night_context import NightContext, night_context
from recsys_jobs.registry.fits import Fit, exam_fit

_ALPHA = 0.05
log = logging.getLogger(__name__)


class Challenger(NamedTuple):
    """One recipe's exam, what it is ahead by, and how often it was not ahead in the resamples (0 to 1)."""

    fit: Fit
    result: TopKEvaluation
    p: float


class Verdict(NamedTuple):
    """What a challenge came to: the recipe, passed, failed or undecided, why, and the interval that says so."""

    challenger: Challenger
    decision: str
    reason: str
    difference: Difference


def challenge(recipes: list[str], run_date: date | None, settings: Settings) -> list[Verdict]:
    """Measure `recipes` against the recipe in force on the cuts of `run_date` (else the latest night); record it."""
    night = run_date or max(delta.dates(RECOMMENDATIONS), default=None)
    if night is None:
        raise UsageError("nothing is published yet: run a night first, or name one with --date")
    in_force = decision_log.recipe_in_force(night, settings)
    if in_force in recipes:
        raise UsageError(f"{in_force} is in force on {night}: name another recipe")
    names = sorted({*recipes, *_challenged(night, in_force)})
    context = night_context(night, settings, in_force)
    cut, _ = exam_cut(night)
    dataset = load_dataset(cut, context.settings)
    holdout = load_holdout(night, cut, dataset)
    champion = _sat(in_force, context, cut, dataset, holdout)
    challengers = [_sat(name, context, cut, dataset, holdout, champion.result) for name in names]
    verdicts = judge(champion, challengers, settings)
    for verdict in verdicts:
        decision_log.record_verdict(_row(night, champion, verdict, settings))
        log.info("%s", verdict.reason)
    return verdicts


def _challenged(night: date, in_force: str) -> set[str]:
    """Who was measured against this recipe on this holdout before: looks at one holdout add up."""
    since = night + timedelta(days=1)
    rows = [row for row in decision_log.all_rows() if row["kind"] == "challenge" and row["effective_date"] == since]
    return {row["recipe"] for row in rows if row["floor"] == in_force}


def _sat(
    name: str,
    context: NightContext,
    cut: date,
    dataset: Dataset,
    holdout: Holdout,
    against: TopKEvaluation | None = None,
) -> Challenger:
    """The recipe's exam fit, found or made, and its exam; `p` is 1 where there is nobody to be measured against."""
    fit = exam_fit(dataset, get_recipe(name), context.settings.seed, context.tags(cut))
    result = evaluate_fit(fit, dataset, holdout, context.settings)
    return Challenger(fit, result, p_value(result, against, context.settings) if against else 1.0)


def p_value(result: TopKEvaluation, against: TopKEvaluation, settings: Settings) -> float:
    """Two-sided bootstrap p of the difference: it is below alpha where the interval at 1 - alpha lies above zero."""
    ahead_U = result.per_user("ndcg", settings.k) - against.per_user("ndcg", settings.k)
    if not len(ahead_U):
        return 1.0
    means_R = resampled_means(ahead_U[:, None], seed=settings.seed, resamples=2_000)[:, 0]
    return min(1.0, 2 * float(np.mean(means_R <= 0)))


def judge(champion: Challenger, challengers: list[Challenger], settings: Settings) -> list[Verdict]:
    """The verdict on each challenger, the most convincing first.

    Holm: the i-th of m, from 0, is held to the level alpha / (m - i), and nobody passes after one that failed.
    """
    verdicts: list[Verdict] = []
    ranked = sorted(challengers, key=lambda one: (one.p, -_mean(one, settings), one.fit.recipe.name))
    stopped = False
    for turn, one in enumerate(ranked):
        level = 1 - _ALPHA / (len(ranked) - turn)
        difference = ndcg_difference(one.result, champion.result, settings, level)
        decision, why = _judged(one, difference, settings, len(ranked), stopped)
        stopped = stopped or decision == "failed"
        told = f"NDCG differs by {difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
        reason = f"{one.fit.recipe.name} against {champion.fit.recipe.name} {decision}: {told}"
        verdicts.append(
            Verdict(one, decision, f"{reason} at {level:.1%} on {difference.users} users; {why}", difference)
        )
    return verdicts


def _mean(one: Challenger, settings: Settings) -> float:
    values_U = one.result.per_user("ndcg", settings.k)
    return float(values_U.mean()) if len(values_U) else 0.0


def _judged(one: Challenger, difference: Difference, settings: Settings, among: int, stopped: bool) -> tuple[str, str]:
    name = one.fit.recipe.name
    if difference.users < settings.min_users:
        return "undecided", f"too few users to judge by ({settings.min_users} needed)"
    if not one.result.finite:
        return "failed", "some of its scores are not finite"
    if stopped or difference.low <= 0:
        return (
            "failed",
            "the interval does not lie above zero" if difference.low <= 0 else "one before it failed (Holm)",
        )
    if name not in settings.floors and not terms(one.fit.model):
        return "failed", "it is ahead, but is neither factors nor item-to-item, and cannot be registered"
    if among > 1:
        return "undecided", f"ahead among {among} on this holdout; confirm it on a later one: recsys challenge {name}"
    return "passed", f"{name} is in force from the next night on"


def _row(night: date, champion: Challenger, verdict: Verdict, settings: Settings) -> Row:
    fit, difference = verdict.challenger.fit, verdict.difference
    runs = {one.fit.recipe.name: one.fit.run_id for one in (champion, verdict.challenger)}
    lineage = {"exam_runs": runs, "code_version": code_version(), "seed": settings.seed, "night": str(night)}
    return {
        "kind": "challenge",
        "effective_date": night + timedelta(days=1),
        "recipe": fit.recipe.name,
        "model_fingerprint": fit.fingerprint,
        "floor": champion.fit.recipe.name,
        "floor_fingerprint": champion.fit.fingerprint,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "users": difference.users,
        "decision": verdict.decision,
        "publishes": (fit if verdict.decision == "passed" else champion.fit).recipe.name,
        "reason": verdict.reason,
        "lineage": json.dumps(lineage, sort_keys=True),
    }
