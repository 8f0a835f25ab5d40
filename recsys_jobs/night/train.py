"""Exam fits: fit the recipe in force, or the floors, on the cut H.

`python -m recsys_jobs.night.train --run-date D [--recipe NAME | --floor]`. The fit stops early on the last
part of the cut, and never sees the holdout. The recipe's fit comes first in a night, so it also finishes what
a killed publish left, and takes over what a person did to the alias in MLflow.
"""

from __future__ import annotations

import logging

from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake.cuts import exam_cut
from recsys_jobs.models.recipes import recipe as recipe_called
from recsys_jobs.promotion.floor import strongest_floor
from recsys_jobs.promotion.night_context import parse_step
from recsys_jobs.publishing.promote_rollback import at_start
from recsys_jobs.registry.fits import exam_fit
from recsys_jobs.training.epochs import format_epochs

log = logging.getLogger(__name__)


def main() -> None:
    """The step's command line."""
    step = parse_step(__doc__ or "", with_floor=True)
    if not step.floor and at_start(step):
        step = parse_step(__doc__ or "", with_floor=True)  # another recipe may be in force now
    cut, _ = exam_cut(step.run_date)
    dataset = load_dataset(cut, step.settings)
    if step.floor:
        fit = strongest_floor(dataset, step.settings, step.tags(cut))
    else:
        fit = exam_fit(dataset, recipe_called(step.recipe), step.settings.seed, step.tags(cut))
    log.info(
        "exam fit of %s as of %s: %s, %s epochs, run %s",
        fit.recipe.name,
        cut,
        fit.fingerprint,
        format_epochs(fit.epochs),
        fit.run_id,
    )


if __name__ == "__main__":
    run_step(main)
