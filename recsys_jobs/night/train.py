"""Makes exam fits: of the recipe in force, or of the floors, on the cut H.

`python -m recsys_jobs.night.train --run-date D [--recipe NAME | --floor]`. The fit stops early on the last
part of the cut, and never sees the holdout. The recipe's fit comes first in a night, so it also finishes the moves
that a killed publish left open, and logs a person's move of the alias in MLflow.
"""

from __future__ import annotations

import logging

from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake.cuts import exam_cut
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.promotion.floor import strongest_floor
from recsys_jobs.promotion.night_context import parse_night
from recsys_jobs.publishing.promote_rollback import recover
from recsys_jobs.registry.fits import exam_fit
from recsys_jobs.training.epochs import format_epochs

log = logging.getLogger(__name__)


def main() -> None:
    """The step's command line."""
    night = parse_night(__doc__ or "", with_floor=True)
    if not night.floor and recover(night.run_date):
        night = parse_night(__doc__ or "", with_floor=True)  # another recipe may be in force now
    cut, _ = exam_cut(night.run_date)
    dataset = load_dataset(cut, night.settings)
    if night.floor:
        fit = strongest_floor(dataset, night.settings, night.tags(cut))
    else:
        fit = exam_fit(dataset, get_recipe(night.recipe), night.settings.seed, night.tags(cut))
    epochs = format_epochs(fit.epochs)
    name, fingerprint = fit.recipe.name, fit.fingerprint
    log.info("exam fit of %s as of %s: %s, %s epochs, run %s", name, cut, fingerprint, epochs, fit.run_id)


if __name__ == "__main__":
    run_step(main)
