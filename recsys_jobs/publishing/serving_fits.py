"""Serving fits: the recipe that the gate lets publish, fitted on the cut D for the exam fit's number of epochs.

A model is registered; a floor is fitted and logged, but not registered: no alias ever points to it. The caller says
whether a fit may be made: `recommend.fit` may, and a rollback that falls to the floor. Slates and publishing use the
fit that MLflow has, and where it has none they end in one line that names the step to run.
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
from recsys_jobs.registry.fits import EXAM, SERVING, Fit, exam_fit, serving_fit, stored_fit
from recsys_jobs.registry.register import register_fit
from recsys_jobs.training.epochs import parse_epochs
from recsys_jobs.training.recipe import Recipe

log = logging.getLogger(__name__)


def night_fit(night: NightContext, dataset: Dataset, *, may_fit: bool) -> Fit:
    """The serving fit of the recipe that this night's gate lets publish; made where there is none, if it `may_fit`."""
    decision = gate_decision(night.run_date, night.recipe)
    if decision["publishes"] != decision["recipe"]:
        return floor_fit(night, dataset, may_fit=may_fit)
    recipe = get_recipe(decision["publishes"])
    return _serving_fit(night, dataset, recipe, decision["model_fingerprint"], may_fit)


def floor_fit(night: NightContext, dataset: Dataset, *, may_fit: bool) -> Fit:
    """The serving fit of this night's floor; made where there is none, if it `may_fit`."""
    decision = gate_decision(night.run_date, night.recipe)
    return _serving_fit(night, dataset, get_recipe(decision["floor"]), decision["floor_fingerprint"], may_fit)


def _serving_fit(night: NightContext, dataset: Dataset, recipe: Recipe, exam_fingerprint: str, may_fit: bool) -> Fit:
    exam_run = _find_exam_run(exam_fingerprint)
    epochs = parse_epochs(exam_run.data.params["epochs_fitted"])
    seed = night.settings.seed
    if may_fit:
        tags = night.tags(night.run_date) | {"exam_run": exam_run.info.run_id}
        return serving_fit(dataset, recipe, seed, epochs, tags)
    fingerprint = model_fingerprint(dataset, recipe, seed, epochs)
    if mlflow_client.find_run(fingerprint, SERVING) is None:
        raise _run_fit_first(night, f"MLflow has no serving fit of {recipe.name} for {night.run_date}")
    return stored_fit(fingerprint, dataset, night.run_date)


def _find_exam_run(fingerprint: str) -> Any:
    """The exam fit's run, which says for how many epochs; JobError where MLflow has lost it."""
    exam_run = mlflow_client.find_run(fingerprint, EXAM)
    if exam_run is None:
        raise JobError(
            f"MLflow at {mlflow_client.tracking_uri()} has no exam fit {fingerprint}: "
            "run python -m recsys_jobs.night.train again"
        )
    return exam_run


def check_overlap(night: NightContext, fit: Fit, dataset: Dataset) -> None:
    """Compare the serving fit's slates with those of the exam fit that the gate judged; JobError where they differ."""
    cut, _ = exam_cut(night.run_date)
    exam_dataset = load_dataset(cut, night.settings)
    exam = exam_fit(exam_dataset, fit.recipe, night.settings.seed, night.tags(cut))
    k, min_overlap = night.settings.k, night.settings.min_overlap
    overlap = require_overlap(exam.model, exam_dataset, fit.model, dataset, k=k, least=min_overlap)
    log.info("overlap: %.1f %% of the exam fit's places are filled alike", 100 * overlap)


def registered_version(night: NightContext, fit: Fit, dataset: Dataset, *, may_register: bool) -> int | None:
    """The registry version of a fit that may be champion, None for a floor; registered now, if it `may_register`."""
    decision = gate_decision(night.run_date, night.recipe)
    if decision["publishes"] != decision["recipe"] or decision["recipe"] == decision["floor"]:
        return None
    version = mlflow_client.version_of(fit.run_id)
    if version is not None:
        return version
    if not may_register:
        raise _run_fit_first(night, f"the serving fit of {fit.recipe.name} for {night.run_date} is not registered")
    return register_fit(night.run_date, fit, dataset)


def _run_fit_first(night: NightContext, problem: str) -> JobError:
    return JobError(f"{problem}: run python -m recsys_jobs.night.fit_serving --run-date {night.run_date} first")
