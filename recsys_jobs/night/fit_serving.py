"""The serving fit of the night: what the gate decided to publish, fitted on the cut D, and registered.

`python -m recsys_jobs.night.fit_serving --run-date D [--recipe NAME]`.
"""

from __future__ import annotations

import logging

from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.promotion.night_context import parse_night
from recsys_jobs.publishing.choose_model import check_overlap, night_fit, registered_version

log = logging.getLogger(__name__)


def main() -> None:
    """The step's command line."""
    night = parse_night(__doc__ or "")
    dataset = load_dataset(night.run_date, night.settings)
    fit = night_fit(night, dataset)
    check_overlap(night, fit, dataset)
    version = registered_version(night, fit, dataset)
    registered = f"version {version}" if version else "not registered"
    log.info("serving fit of %s: %s, %s", fit.recipe.name, fit.fingerprint, registered)


if __name__ == "__main__":
    run_step(main)
