"""Fits recipes on the cut of the ranking window; says so in one line where one cannot fit this data.

`python -m recsys_jobs.challenges.bakeoff.fit --run-date D --recipes A[,B]`.

What MLflow has is found, not trained again.
"""

from __future__ import annotations

import logging

from recsys_jobs.challenges.bakeoff.entrants import Skipped, fit_or_skip, load_night
from recsys_jobs.challenges.bakeoff.options import Call, parse
from recsys_jobs.challenges.bakeoff.windows import windows
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.registry.fits import Fit
from recsys_jobs.training.epochs import format_epochs

log = logging.getLogger(__name__)


def fit(call: Call) -> list[Fit | Skipped]:
    """The fit of each recipe that is named, or why there is none."""
    if not call.recipes:
        raise UsageError("which recipe? write --recipes NAME")
    names = [get_recipe(name).name for name in call.recipes]
    night = load_night(windows(call.run_date).ranking, call.settings)
    return [fit_or_skip(name, night) for name in names]


def main() -> None:
    """The job's command line."""
    for found in fit(parse(__doc__ or "")):
        if isinstance(found, Fit):
            log.info(
                "bake-off fit of %s: %s, %s epochs", found.recipe.name, found.fingerprint, format_epochs(found.epochs)
            )


if __name__ == "__main__":
    run_step(main)
