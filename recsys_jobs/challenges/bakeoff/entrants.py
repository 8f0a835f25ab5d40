"""The entrants of a bake-off: each recipe's exam fit on the ranking cut, found or made, or why there is none.

A family that cannot fit the data (no stars, no raw contents, too many items) says so in one line. That line is
kept in MLflow under the fingerprint that the fit would have had, so that it is found again like a fit.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.from_lake import load_dataset, load_holdout
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.top_k_evaluation import TopKEvaluation
from recsys_jobs.lake.cuts import exam_cut
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.models.servable_terms import terms
from recsys_jobs.promotion.decision_log import recipe_in_force
from recsys_jobs.promotion.measure import evaluate_fit
from recsys_jobs.promotion.night_context import NightContext, night_context
from recsys_jobs.registry import mlflow_client
from recsys_jobs.registry.fingerprint import model_fingerprint
from recsys_jobs.registry.fits import EXAM, Fit, exam_fit

SKIPPED, REASON = "skipped", "reason"
log = logging.getLogger(__name__)


class Entrant(NamedTuple):
    """One fitted recipe, its evaluation on the ranking window, and whether nights could publish it."""

    fit: Fit
    result: TopKEvaluation
    servable: bool


class Skipped(NamedTuple):
    """One recipe that cannot fit this data, and why, in one line."""

    recipe: str
    reason: str


class RankingNight(NamedTuple):
    """The night whose holdout ranks: its context, its cut H, and the dataset of that cut."""

    context: NightContext
    cut: date
    dataset: Dataset


def recipe_names(run_date: date, requested: Iterable[str], settings: Settings) -> list[str]:
    """The recipe in force, then the requested, else the configured ones, each once; UsageError for an unknown one."""
    names = [recipe_in_force(run_date, settings), *(requested or settings.bakeoff_recipes)]
    return [get_recipe(name).name for name in dict.fromkeys(names)]


def load_ranking_night(night: date, settings: Settings) -> RankingNight:
    """The ranking night with the dataset that its fits read: its cut H, and nothing after it."""
    context = night_context(night, settings)
    cut, _ = exam_cut(night)
    return RankingNight(context, cut, load_dataset(cut, context.settings))


def fit_or_skip(name: str, night: RankingNight) -> Fit | Skipped:
    """The recipe's exam fit, found or made, or why it cannot be made of this data."""
    recipe, seed = get_recipe(name), night.context.settings.seed
    fingerprint = model_fingerprint(night.dataset, recipe, seed, None)
    if mlflow_client.find_run(fingerprint, EXAM):
        return exam_fit(night.dataset, recipe, seed, night.context.tags(night.cut))
    if skipped_run := mlflow_client.find_run(fingerprint, SKIPPED):
        return _log_skipped(Skipped(name, skipped_run.data.tags[REASON]))
    try:
        return exam_fit(night.dataset, recipe, seed, night.context.tags(night.cut))
    except (JobError, UsageError) as error:
        with mlflow_client.new_run(f"{name} skipped {night.cut}", SKIPPED, fingerprint, _skip_tags(night, name, error)):
            return _log_skipped(Skipped(name, str(error)))


def evaluate_recipes(names: Iterable[str], night: RankingNight) -> tuple[list[Entrant], list[Skipped]]:
    """Fit every recipe and evaluate it on the ranking window; return the entrants, and the skipped recipes."""
    holdout = load_holdout(night.context.run_date, night.cut, night.dataset)
    fits_or_skips = [fit_or_skip(name, night) for name in names]
    entrants = [_evaluate_entrant(fit, night, holdout) for fit in fits_or_skips if isinstance(fit, Fit)]
    return entrants, [skipped for skipped in fits_or_skips if isinstance(skipped, Skipped)]


def _evaluate_entrant(fit: Fit, night: RankingNight, holdout: Holdout) -> Entrant:
    settings = night.context.settings
    result = evaluate_fit(fit, night.dataset, holdout, settings)
    publishable = fit.recipe.name in settings.floors or bool(terms(fit.model))
    return Entrant(fit, result, result.finite and publishable)


def _skip_tags(night: RankingNight, name: str, error: Exception) -> dict[str, str]:
    return night.context.tags(night.cut) | {"recipe": name, REASON: str(error)}


def _log_skipped(skipped: Skipped) -> Skipped:
    log.warning("%s is skipped: %s", skipped.recipe, skipped.reason)
    return skipped
