"""Prints the plan of a bake-off: one line of JSON, the command line of each recipe's fit.

`python -m recsys_jobs.challenges.bakeoff.plan --run-date D [--recipes A,B]`. A recipe that is unknown, or a window
that has no snapshot, ends it here, before anything is fitted.
"""

from __future__ import annotations

import json
import logging

from recsys_jobs.challenges.bakeoff.entrants import recipe_names
from recsys_jobs.challenges.bakeoff.options import BakeoffOptions, parse_options
from recsys_jobs.challenges.bakeoff.windows import windows
from recsys_jobs.contracts.lake_lock import run_step

log = logging.getLogger(__name__)


def plan(options: BakeoffOptions) -> list[list[str]]:
    """The arguments of each fit, the recipe in force first."""
    run_date = options.run_date
    log.info("ranked on the holdout of %s, confirmed on that of %s", *windows(run_date))
    names = recipe_names(run_date, options.recipes, options.settings)
    return [["--run-date", str(run_date), "--recipes", name] for name in names]


def main() -> None:
    """The job's command line."""
    print(json.dumps(plan(parse_options(__doc__ or ""))), flush=True)


if __name__ == "__main__":
    run_step(main)
