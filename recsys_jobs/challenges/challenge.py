"""Fits other recipes on a night's cuts, and puts one in force if it is better beyond doubt.

One challenger on a night's holdout: its 95 % paired bootstrap interval against the recipe in force must lie
above zero. Several on the same holdout, also one call after another: Holm's step-down correction (Holm 1979),
each interval at the level that its turn asks for; a recipe that passes is only nominated, and takes over when a
challenge on a later holdout confirms it. A recipe takes over from the night after the challenge's.
U users, R resamples.
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
    """One recipe's fit, its evaluation, and the bootstrap p of its lead over the recipe in force (0 to 1)."""

    fit: Fit
    result: TopKEvaluation
    p: float


class Verdict(NamedTuple):
    """The verdict on one challenger: passed, failed or undecided, why, and the interval that says so."""

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
    names = sorted({*recipes, *_earlier_challengers(night, in_force)})
    champion, challengers = _evaluate_all(night_context(night, settings, in_force), names)
    verdicts = judge(champion, challengers, settings)
    for verdict in verdicts:
        decision_log.record_verdict(_decision_row(night, champion, verdict, settings))
        log.info("%s", verdict.reason)
    return verdicts


def _earlier_challengers(night: date, in_force: str) -> set[str]:
    """The recipes measured against this one on this holdout before: Holm counts every look at one holdout."""
    next_day = night + timedelta(days=1)
    challenges = [row for row in decision_log.all_rows() if row["kind"] == "challenge"]
    of_night = [row for row in challenges if row["effective_date"] == next_day]
    return {row["recipe"] for row in of_night if row["floor"] == in_force}


def _evaluate_all(context: NightContext, names: list[str]) -> tuple[Challenger, list[Challenger]]:
    """The recipe in force and its challengers, evaluated on the holdout of the context's night."""
    cut, _ = exam_cut(context.run_date)
    dataset = load_dataset(cut, context.settings)
    holdout = load_holdout(context.run_date, cut, dataset)
    champion = _evaluate_recipe(context.recipe, context, cut, dataset, holdout)
    challengers = [_evaluate_recipe(name, context, cut, dataset, holdout, champion.result) for name in names]
    return champion, challengers


def _evaluate_recipe(
    name: str,
    context: NightContext,
    cut: date,
    dataset: Dataset,
    holdout: Holdout,
    against: TopKEvaluation | None = None,
) -> Challenger:
    """The recipe's exam fit, found or made, and its evaluation; `p` is 1 where `against` is None."""
    fit = exam_fit(dataset, get_recipe(name), context.settings.seed, context.tags(cut))
    result = evaluate_fit(fit, dataset, holdout, context.settings)
    p = p_value(result, against, context.settings) if against else 1.0
    return Challenger(fit, result, p)


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
    ranked = sorted(challengers, key=lambda entry: (entry.p, -_mean_ndcg(entry, settings), entry.fit.recipe.name))
    stopped = False
    for turn, challenger in enumerate(ranked):
        level = 1 - _ALPHA / (len(ranked) - turn)
        difference = ndcg_difference(challenger.result, champion.result, settings, level)
        decision, why = _decide(challenger, difference, settings, len(ranked), stopped)
        stopped = stopped or decision == "failed"
        opponents = f"{challenger.fit.recipe.name} against {champion.fit.recipe.name}"
        reason = f"{opponents} {decision}: {_interval_text(difference, level)}; {why}"
        verdicts.append(Verdict(challenger, decision, reason, difference))
    return verdicts


def _interval_text(difference: Difference, level: float) -> str:
    interval = f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    return f"NDCG differs by {difference.value:+.4f} {interval} at {level:.1%} on {difference.users} users"


def _mean_ndcg(challenger: Challenger, settings: Settings) -> float:
    values_U = challenger.result.per_user("ndcg", settings.k)
    return float(values_U.mean()) if len(values_U) else 0.0


def _decide(
    challenger: Challenger, difference: Difference, settings: Settings, count: int, stopped: bool
) -> tuple[str, str]:
    """The decision on one of `count` challengers and its reason; `stopped`: one before it failed."""
    name = challenger.fit.recipe.name
    if difference.users < settings.min_users:
        return "undecided", f"too few users to judge by ({settings.min_users} needed)"
    if not challenger.result.finite:
        return "failed", "some of its scores are not finite"
    if difference.low <= 0:
        return "failed", "the interval does not lie above zero"
    if stopped:
        return "failed", "one before it failed (Holm)"
    if name not in settings.floors and not terms(challenger.fit.model):
        return "failed", "it is ahead, but is neither factors nor item-to-item, and cannot be registered"
    if count > 1:
        return "undecided", f"ahead among {count} on this holdout; confirm it on a later one: recsys challenge {name}"
    return "passed", f"{name} is in force from the next night on"


def _decision_row(night: date, champion: Challenger, verdict: Verdict, settings: Settings) -> Row:
    fit, difference = verdict.challenger.fit, verdict.difference
    runs = {exam.recipe.name: exam.run_id for exam in (champion.fit, fit)}
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
