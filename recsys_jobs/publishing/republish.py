"""Publishes the newest night again from the factors it was published with: `recsys publish --latest`.

For a change that cannot wait until tonight: an item or a brand was put on the blocklist. Nothing is fitted, no alias
moves; every user is ranked anew, so that those who lose an item still get K. One commit a table, audited.
"""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake import delta, lineage
from recsys_jobs.promotion.night_context import night_context
from recsys_jobs.publishing import publish_intent
from recsys_jobs.publishing.publish import commit_staged
from recsys_jobs.publishing.stage_slates import stage_tables
from recsys_jobs.registry.fits import stored_fit

log = logging.getLogger(__name__)


def republish_latest() -> date:
    """Stage, audit and commit the newest night's three tables from its kept fit; return its date."""
    with delta.writer_lock(publish_intent.LOCK):
        run_date = latest_night()
        model = published_model(run_date)
        versions = lineage.input_versions()
        night = night_context(run_date)
        with delta.pinned(versions):
            dataset = load_dataset(run_date, night.settings)
            fit = stored_fit(model["model_fingerprint"], dataset, run_date)
            stage_tables(night, dataset, fit, model["model_version"], versions)
        commit_staged(night)
    log.info("no alias moved: %s of %s stands as it was", fit.recipe.name, run_date)
    return run_date


def latest_night() -> date:
    """The newest published date; JobError while nothing is published."""
    dates = delta.read(RECOMMENDATIONS, columns=["run_date"])["run_date"]
    newest = pc.max(dates).as_py()
    if newest is None:
        raise JobError("nothing is published yet: run a night first")
    return newest


def published_model(run_date: date) -> dict[str, Any]:
    """Fingerprint and registry version of the model whose slates stand on `run_date`."""
    columns = ["model_fingerprint", "model_version"]
    rows = delta.read_date(RECOMMENDATIONS, run_date, columns)
    models: list[dict[str, Any]] = pa.TableGroupBy(rows, columns).aggregate([]).to_pylist()
    if len(models) != 1:
        raise JobError(f"recommendations of {run_date} name {len(models)} models: run the night again")
    return models[0]
