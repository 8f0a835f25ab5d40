"""Ranks the recipes on the first window, and nominates the best that is ahead of the recipe in force beyond doubt.

`python -m recsys_jobs.bakeoff.rank --run-date D [--recipes A,B]`. The table goes to `model_metrics` and to MLflow.
"""

from __future__ import annotations

import logging

from recsys_jobs.bakeoff import record
from recsys_jobs.bakeoff.call import Call, parse
from recsys_jobs.bakeoff.entrants import load_night, recipe_names, sit
from recsys_jobs.bakeoff.ranking import Ranking, rank
from recsys_jobs.bakeoff.windows import windows
from recsys_jobs.errors import JobError
from recsys_jobs.lake_lock import run_step

log = logging.getLogger(__name__)


def ranked(call: Call) -> Ranking:
    """Sit the exams, write the table, and return the ranking; JobError where the recipe in force has no fit."""
    names = recipe_names(call.run_date, call.recipes, call.settings)
    night, in_force = load_night(windows(call.run_date).ranking, call.settings), names[0]
    entrants, skipped = sit(names, night)
    for one in skipped:
        if one.recipe == in_force:
            raise JobError(f"the recipe in force cannot be fitted, so nothing is measured against it: {one.reason}")
    found = rank(entrants, in_force, night.step.settings)
    record.write(call.run_date, found, in_force, night.step.settings)
    k = night.step.settings.k
    rows = record.table(found, skipped, in_force, k)
    tags = night.step.tags(night.cut) | {"run_date": str(call.run_date), "ranked_on": str(night.step.run_date)}
    record.log_run(tags, rows, found.reason, k)
    for row in rows:
        log.info("%-4s %-24s %s", row["place"] or "", row["recipe"], row["came_to"])
    log.info("%s", found.reason)
    return found


def main() -> None:
    """The job's command line."""
    ranked(parse(__doc__ or ""))


if __name__ == "__main__":
    run_step(main)
