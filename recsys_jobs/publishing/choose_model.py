"""The serving fit: what the gate decided to publish, fitted on the cut D, and registered.

The fit takes the exam fit's number of epochs.
A floor is fitted and logged, but not registered: no alias ever points to it. What a night publishes is its
own fit, unless a person holds another version in place or rejected this one (docs/models.md): then the fit
is made and registered all the same.
"""

from __future__ import annotations

import logging
from typing import Any

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake.cuts import exam_cut
from recsys_jobs.models.recipes import recipe as recipe_called
from recsys_jobs.promotion import decision_log
from recsys_jobs.promotion import serving_rules as promotions
from recsys_jobs.promotion.decision_log import gate_decision
from recsys_jobs.promotion.night_context import Step
from recsys_jobs.ranking.slate_overlap import demand_overlap
from recsys_jobs.registry import mlflow_client
from recsys_jobs.registry.fits import EXAM, Fit, exam_fit, fit_of_run, serving_fit
from recsys_jobs.registry.register import register_fit
from recsys_jobs.training.epochs import read
from recsys_jobs.training.recipe import Recipe

log = logging.getLogger(__name__)


def to_publish(step: Step, dataset: Dataset) -> tuple[Fit, int | None]:
    """What this night publishes, with its registry version, None for a floor: the held one, else its own fit."""
    rows = decision_log.everything()
    held = promotions.hold(rows, step.run_date)
    if held is not None:
        log.info("%s holds: %s", held.row["kind"], held.row["reason"])
        return _standing(step, dataset, held.version)
    fit = night_fit(step, dataset)
    version = registered_version(step, fit, dataset)
    if version not in promotions.rejected(rows):
        return fit, version
    other = promotions.before(rows, version, until=step.run_date)
    log.info("version %d was rejected: %s is published", version, f"version {other}" if other else "the floor")
    return _standing(step, dataset, other)


def _standing(step: Step, dataset: Dataset, version: int | None) -> tuple[Fit, int | None]:
    """A version fitted before, over this night's users and items; the night's floor for None."""
    if version is None:
        return _floor_fit(step, dataset, gate_decision(step.run_date, step.recipe)), None
    return fit_of_run(mlflow_client.night_version(version).run_id, dataset), version


def night_fit(step: Step, dataset: Dataset) -> Fit:
    """The serving fit of what the gate decided on this night, found or made now."""
    decision = gate_decision(step.run_date, step.recipe)
    if decision["publishes"] != decision["recipe"]:
        return _floor_fit(step, dataset, decision)
    return _serving_fit(step, dataset, recipe_called(decision["publishes"]), decision["model_fingerprint"])


def _floor_fit(step: Step, dataset: Dataset, decision: dict[str, Any]) -> Fit:
    return _serving_fit(step, dataset, recipe_called(decision["floor"]), decision["floor_fingerprint"])


def _serving_fit(step: Step, dataset: Dataset, recipe: Recipe, exam_fingerprint: str) -> Fit:
    exam = _exam_run(exam_fingerprint)
    tags = step.tags(step.run_date) | {"exam_run": exam.info.run_id}
    return serving_fit(dataset, recipe, step.settings.seed, read(exam.data.params["epochs_fitted"]), tags)


def _exam_run(fingerprint: str) -> Any:
    """The exam fit's run, which says for how many epochs; JobError where MLflow has lost it."""
    exam = mlflow_client.find_run(fingerprint, EXAM)
    if exam is None:
        raise JobError(
            f"MLflow at {mlflow_client.tracking_uri()} has no exam fit {fingerprint}: "
            "run python -m recsys_jobs.night.train again"
        )
    return exam


def check_overlap(step: Step, fit: Fit, dataset: Dataset) -> None:
    """Hold the serving fit against the exam fit that the gate judged; JobError where they disagree."""
    cut, _ = exam_cut(step.run_date)
    before = load_dataset(cut, step.settings)
    exam = exam_fit(before, fit.recipe, step.settings.seed, step.tags(cut))
    k, least = step.settings.k, step.settings.min_overlap
    share = demand_overlap(exam.model, before, fit.model, dataset, k=k, least=least)
    log.info("overlap: %.1f %% of the exam fit's places are filled alike", 100 * share)


def registered_version(step: Step, fit: Fit, dataset: Dataset) -> int | None:
    """The registry version of a fit that may be champion, registered now if it was not; None for a floor."""
    decision = gate_decision(step.run_date, step.recipe)
    if decision["publishes"] != decision["recipe"] or decision["recipe"] == decision["floor"]:
        return None
    known = mlflow_client.version_of(fit.run_id)
    return known if known is not None else register_fit(step.run_date, fit, dataset)
