"""The model that the lake published on a date, over the people and items of that night."""

from __future__ import annotations

import numpy as np

from recsys_jobs.commands.recommend.for_people import RecommendSource
from recsys_jobs.commands.recommend.options import RecommendOptions
from recsys_jobs.commands.show.slate import titles_of
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import load_settings
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.embed.night_encoders import night_settings
from recsys_jobs.lake import delta
from recsys_jobs.lake.sql import connect
from recsys_jobs.publishing.blocklist import blocked_mask
from recsys_jobs.publishing.republish import latest_night, published_model
from recsys_jobs.registry.fits import stored_fit


def load_published(options: RecommendOptions) -> RecommendSource:
    """Return the published model of the options' date, or of the newest; nothing is fitted.

    UsageError where nothing is published on that date, JobError where MLflow lost the fit.
    """
    run_date = options.run_date or latest_night()
    nights = delta.dates(RECOMMENDATIONS)
    if run_date not in nights:
        known = f"{nights[0]} to {nights[-1]} ({len(nights)})" if nights else "there are none"
        raise UsageError(f"nothing is published on {run_date}; published nights: {known}")
    model = published_model(run_date)
    dataset = load_dataset(run_date, night_settings(load_settings(), run_date))
    fit = stored_fit(model["model_fingerprint"], dataset, run_date)
    version = f" version {model['model_version']}" if model["model_version"] else ""
    description = f"{fit.recipe.name}{version}, as the night of {run_date} published it; {len(dataset.items):,} items"
    blocked_items = np.flatnonzero(blocked_mask(run_date, dataset.items))
    return RecommendSource(fit.model, dataset, description, titles_of(connect(), run_date), blocked_items)
