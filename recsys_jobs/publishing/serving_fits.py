"""Serving fits: what the gate decided to publish, fitted on the cut D for the exam fit's number of epochs; registered.

A floor is fitted and logged, but not registered: no alias ever points to it. Whoever asks says whether a fit may be
made: `recommend.fit` may, and a rollback that falls to the floor. Slates and publishing take what is there, and
where nothing is they end in one line that names the step to run.
"""

from __future__ import annotations

import logging
from typing import Any

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake.cuts import exam_cut
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.promotion.decision_log import gate_decision
from recsys_jobs.promotion.night_context import NightContext
from recsys_jobs.ranking.slate_overlap import require_overlap
from recsys_jobs.registry import mlflow_client
from recsys_jobs.registry.fingerprint import model_fingerprint
from recsys_jobs.registry.fits import EXAM, SERVING, Fit, exam_fit, kept_fit, serving_fit
from recsys_jobs.registry.register import register_fit
from recsys_jobs.training.epochs import parse_epochs
from recsys_jobs.training.recipe import Recipe

log = logging.getLogger(__name__)


def night_fit(night: NightContext, dataset: Dataset, *, may_fit: bool) -> Fit:
    """The serving fit of what the gate decided on this night; made now where there is none and one may be made."""
    decision = gate_decision(night.run_date, night.recipe)
    if decision["publishes"] != decision["recipe"]:
        return floor_fit(night, dataset, may_fit=may_fit)
    recipe = get_recipe(decision["publishes"])
    return _serving_fit(night, dataset, recipe, decision["model_fingerprint"], may_fit)


def floor_fit(night: NightContext, dataset: Dataset, *, may_fit: bool) -> Fit:
    """The serving fit of this night's floor, on the same terms."""
    decision = gate_decision(night.run_date, night.recipe)
    return _serving_fit(night, dataset, get_recipe(decision["floor"]), decision["floor_fingerprint"], may_fit)


def _serving_fit(night: NightContext, dataset: Dataset, recipe: Recipe, exam_fingerprint: str, may_fit: bool) -> Fit:
    exam = _exam_run(exam_fingerprint)
    epochs, seed = parse_epochs(exam.data.params["epochs_fitted"]), night.settings.seed
    if may_fit:
        tags = night.tags(night.run_date) | {"exam_run": exam.info.run_id}
        return serving_fit(dataset, recipe, seed, epochs, tags)
    fingerprint = model_fingerprint(dataset, recipe, seed, epochs)
    if mlflow_client.find_run(fingerprint, SERVING) is None:
        raise _run_fit_first(night, f"MLflow has no serving fit of {recipe.name} for {night.run_date}")
    return kept_fit(fingerprint, dataset, night.run_date)


def _exam_run(fingerprint: str) -> Any:
    """The exam fit's run, which says for how many epochs; JobError where MLflow has lost it."""
    exam = mlflow_client.find_run(fingerprint, EXAM)
    if exam is None:
        raise JobError(
            f"MLflow at {mlflow_client.tracking_uri()} has no exam fit {fingerprint}: "
            "run python -m recsys_jobs.night.train again"
        )
    return exam


def check_overlap(night: NightContext, fit: Fit, dataset: Dataset) -> None:
    """Hold the serving fit against the exam fit that the gate judged; JobError where they disagree."""
    cut, _ = exam_cut(night.run_date)
    before = load_dataset(cut, night.settings)
    exam = exam_fit(before, fit.recipe, night.settings.seed, night.tags(cut))
    k, least = night.settings.k, night.settings.min_overlap
    share = require_overlap(exam.model, before, fit.model, dataset, k=k, least=least)
    log.info("overlap: %.1f %% of the exam fit's places are filled alike", 100 * share)


def registered_version(night: NightContext, fit: Fit, dataset: Dataset, *, may_register: bool) -> int | None:
    """The registry version of a fit that may be champion, None for a floor; registered now, where that may be done."""
    decision = gate_decision(night.run_date, night.recipe)
    if decision["publishes"] != decision["recipe"] or decision["recipe"] == decision["floor"]:
        return None
    known = mlflow_client.version_of(fit.run_id)
    if known is None and not may_register:
        raise _run_fit_first(night, f"the serving fit of {fit.recipe.name} for {night.run_date} is not registered")
    return known if known is not None else register_fit(night.run_date, fit, dataset)


def _run_fit_first(night: NightContext, wrong: str) -> JobError:
    return JobError(f"{wrong}: run python -m recsys_jobs.night.fit_serving --run-date {night.run_date} first")
