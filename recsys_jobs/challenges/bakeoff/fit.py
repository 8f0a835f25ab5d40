"""Fits recipes on the cut of the ranking window; logs one line for a recipe that cannot fit this data.

`python -m recsys_jobs.challenges.bakeoff.fit --run-date D --recipes A[,B]`.

A fit that MLflow has is loaded, not trained again.
"""

from __future__ import annotations

import logging

from recsys_jobs.challenges.bakeoff.entrants import Skipped, fit_or_skip, load_ranking_night
from recsys_jobs.challenges.bakeoff.options import BakeoffOptions, parse_options
from recsys_jobs.challenges.bakeoff.windows import windows
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.registry.fits import Fit
from recsys_jobs.training.epochs import format_epochs

log = logging.getLogger(__name__)


def fit(options: BakeoffOptions) -> list[Fit | Skipped]:
    """The fit of each recipe that is named, or why there is none."""
    if not options.recipes:
        raise UsageError("which recipe? write --recipes NAME")
    names = [get_recipe(name).name for name in options.recipes]
    night = load_ranking_night(windows(options.run_date).ranking, options.settings)
    return [fit_or_skip(name, night) for name in names]


def main() -> None:
    """The job's command line."""
    for result in fit(parse_options(__doc__ or "")):
        if isinstance(result, Fit):
            epochs = format_epochs(result.epochs)
            log.info("bake-off fit of %s: %s, %s epochs", result.recipe.name, result.fingerprint, epochs)


if __name__ == "__main__":
    run_step(main)
