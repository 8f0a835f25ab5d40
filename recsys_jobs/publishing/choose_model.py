"""Which model a night publishes: its own fit, unless a person holds another or rejected this one (docs/models.md).

The step that fits chooses once, and writes the choice down (`manifest`). Later steps choose again only where the log of
decisions, the snapshot or MLflow has changed, and then among the models that are fitted already. The night's own
fit is made and registered whatever is published, so that a person can promote it or release to it.
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
    return _choose_and_record(night, dataset, may_fit=True, own=Choice(fit, version))


def model_to_publish(night: NightContext, dataset: Dataset, *, may_fit: bool = False) -> Choice:
    """The model that the night's manifest names; chosen again where the manifest does not hold any more.

    JobError where the model would have to be fitted, unless it `may_fit`.
    """
    planned = manifest.current(night)
    if planned is not None and _is_usable(planned, dataset):
        return Choice(fit_of_run(planned.run_id, dataset), planned.version)
    return _choose_and_record(night, dataset, may_fit=may_fit)


def _is_usable(planned: Manifest, dataset: Dataset) -> bool:
    """Whether the manifest is of this very snapshot, and MLflow still has its fit."""
    if planned.inputs != content_hash(dataset):
        log.info("the snapshot of %s was made again since its model was chosen", planned.run_date)
        return False
    if mlflow_client.find_run(planned.fingerprint, SERVING) is None:
        log.info("MLflow no longer has the fit that was chosen, %s", planned.fingerprint)
        return False
    return True


def _choose_and_record(night: NightContext, dataset: Dataset, *, may_fit: bool, own: Choice | None = None) -> Choice:
    """Choose by the log of decisions, and write the manifest; `own` is the night's own model, where it is known."""
    rows = decision_log.all_rows()
    hold = serving_rules.hold(rows, night.run_date)
    if hold is not None:
        log.info("%s holds: %s", hold.row["kind"], hold.row["reason"])
        choice = _earlier_fit(night, dataset, hold.version, may_fit)
    else:
        own = own or _own_choice(night, dataset, may_fit)
        choice = _own_or_previous(night, dataset, own, rows, may_fit)
    manifest.write(_manifest(night, dataset, choice, rows))
    fit = choice.fit
    version = f"version {choice.version}" if choice.version else "a floor"
    log.info("to publish on %s: %s %s, %s", night.run_date, fit.recipe.name, fit.fingerprint, version)
    return choice


def _own_choice(night: NightContext, dataset: Dataset, may_fit: bool) -> Choice:
    fit = night_fit(night, dataset, may_fit=may_fit)
    return Choice(fit, registered_version(night, fit, dataset, may_register=may_fit))


def _own_or_previous(night: NightContext, dataset: Dataset, own: Choice, rows: list[Row], may_fit: bool) -> Choice:
    """The night's own model; where it was rejected, the version that served before it."""
    if own.version not in serving_rules.rejected_versions(rows):
        return own
    previous = serving_rules.previous_version(rows, own.version, until=night.run_date)
    replacement = f"version {previous}" if previous else "the floor"
    log.info("version %d was rejected: %s is published", own.version, replacement)
    return _earlier_fit(night, dataset, previous, may_fit)


def _earlier_fit(night: NightContext, dataset: Dataset, version: int | None, may_fit: bool) -> Choice:
    """A version fitted before, over this night's users and items; the night's floor for None."""
    if version is None:
        return Choice(floor_fit(night, dataset, may_fit=may_fit), None)
    run_id = mlflow_client.night_version(version).run_id
    return Choice(fit_of_run(run_id, dataset), version)


def _manifest(night: NightContext, dataset: Dataset, choice: Choice, rows: list[Row]) -> Manifest:
    fit = choice.fit
    return Manifest(
        run_date=str(night.run_date),
        recipe=fit.recipe.name,
        fingerprint=fit.fingerprint,
        run_id=fit.run_id,
        version=choice.version,
        epochs=epochs.format_epochs(fit.epochs),
        inputs=content_hash(dataset),
        **manifest.decision_basis(night, rows)._asdict(),
    )
