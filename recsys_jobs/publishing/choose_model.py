"""Which model a night publishes: its own fit, unless a person holds another or rejected this one (docs/models.md).

It is chosen once, by the step that fits, and written down (`manifest`). It is chosen again only where the log of
decisions, the snapshot or MLflow says something else by now, and then among what is fitted already. The night's own
fit is made and registered whatever is published, so that there is something to promote or to release to.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from recsys_jobs.data.content_hash import content_hash
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.promotion import decision_log, serving_rules
from recsys_jobs.promotion.decision_log import Row
from recsys_jobs.promotion.night_context import NightContext
from recsys_jobs.publishing import manifest
from recsys_jobs.publishing.manifest import Manifest
from recsys_jobs.publishing.serving_fits import check_overlap, floor_fit, night_fit, registered_version
from recsys_jobs.registry import mlflow_client
from recsys_jobs.registry.fits import SERVING, Fit, fit_of_run
from recsys_jobs.training import epochs

log = logging.getLogger(__name__)


class Choice(NamedTuple):
    """A model that a night may publish: the fit, and its registry version, None for a floor."""

    fit: Fit
    version: int | None


def fit_night(night: NightContext, dataset: Dataset) -> Choice:
    """Make, check and register the night's own fit; choose what the night publishes, and write it down."""
    fit = night_fit(night, dataset, may_fit=True)
    check_overlap(night, fit, dataset)
    version = registered_version(night, fit, dataset, may_register=True)
    registered = f"version {version}" if version else "not registered"
    log.info("serving fit of %s: %s, %s", fit.recipe.name, fit.fingerprint, registered)
    return _choose(night, dataset, may_fit=True, own=Choice(fit, version))


def to_publish(night: NightContext, dataset: Dataset, *, may_fit: bool = False) -> Choice:
    """What the night's manifest names; chosen again where that does not hold any more.

    JobError where it would have to be fitted, unless it `may_fit`.
    """
    planned = manifest.current(night)
    if planned is not None and _is_there(planned, dataset):
        return Choice(fit_of_run(planned.run_id, dataset), planned.version)
    return _choose(night, dataset, may_fit=may_fit)


def _is_there(planned: Manifest, dataset: Dataset) -> bool:
    """Whether the manifest is of this very snapshot, and MLflow still has its fit."""
    if planned.inputs != content_hash(dataset):
        log.info("the snapshot of %s was made again since its model was chosen", planned.run_date)
        return False
    if mlflow_client.find_run(planned.fingerprint, SERVING) is None:
        log.info("MLflow no longer has the fit that was chosen, %s", planned.fingerprint)
        return False
    return True


def _choose(night: NightContext, dataset: Dataset, *, may_fit: bool, own: Choice | None = None) -> Choice:
    """What the log of decisions wants, written to the manifest; `own` is the night's own model, where it is known."""
    rows = decision_log.all_rows()
    held = serving_rules.hold(rows, night.run_date)
    if held is not None:
        log.info("%s holds: %s", held.row["kind"], held.row["reason"])
        choice = _standing(night, dataset, held.version, may_fit)
    else:
        choice = _unless_rejected(night, dataset, own or _own(night, dataset, may_fit), rows, may_fit)
    manifest.write(_manifest(night, dataset, choice, rows))
    what = f"version {choice.version}" if choice.version else "a floor"
    log.info("to publish on %s: %s %s, %s", night.run_date, choice.fit.recipe.name, choice.fit.fingerprint, what)
    return choice


def _own(night: NightContext, dataset: Dataset, may_fit: bool) -> Choice:
    fit = night_fit(night, dataset, may_fit=may_fit)
    return Choice(fit, registered_version(night, fit, dataset, may_register=may_fit))


def _unless_rejected(night: NightContext, dataset: Dataset, own: Choice, rows: list[Row], may_fit: bool) -> Choice:
    """The night's own model; where it was rejected, the version that served before it."""
    if own.version not in serving_rules.rejected_versions(rows):
        return own
    other = serving_rules.previous_version(rows, own.version, until=night.run_date)
    log.info("version %d was rejected: %s is published", own.version, f"version {other}" if other else "the floor")
    return _standing(night, dataset, other, may_fit)


def _standing(night: NightContext, dataset: Dataset, version: int | None, may_fit: bool) -> Choice:
    """A version fitted before, over this night's users and items; the night's floor for None."""
    if version is None:
        return Choice(floor_fit(night, dataset, may_fit=may_fit), None)
    return Choice(fit_of_run(mlflow_client.night_version(version).run_id, dataset), version)


def _manifest(night: NightContext, dataset: Dataset, choice: Choice, rows: list[Row]) -> Manifest:
    return Manifest(
        run_date=str(night.run_date),
        recipe=choice.fit.recipe.name,
        fingerprint=choice.fit.fingerprint,
        run_id=choice.fit.run_id,
        version=choice.version,
        epochs=epochs.format_epochs(choice.fit.epochs),
        inputs=content_hash(dataset),
        **manifest.grounds(night, rows)._asdict(),
    )
