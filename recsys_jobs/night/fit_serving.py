"""The serving fit of the night: what the gate decided to publish, fitted on the cut D, and registered.

`python -m recsys_jobs.night.fit_serving --run-date D [--recipe NAME]`.
"""

from __future__ import annotations

import logging

from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.promotion.night_context import parse_step
from recsys_jobs.publishing.choose_model import check_overlap, night_fit, registered_version

log = logging.getLogger(__name__)


def main() -> None:
    """The step's command line."""
    step = parse_step(__doc__ or "")
    dataset = load_dataset(step.run_date, step.settings)
    fit = night_fit(step, dataset)
    check_overlap(step, fit, dataset)
    version = registered_version(step, fit, dataset)
    registered = f"version {version}" if version else "not registered"
    log.info("serving fit of %s: %s, %s", fit.recipe.name, fit.fingerprint, registered)


if __name__ == "__main__":
    run_step(main)
