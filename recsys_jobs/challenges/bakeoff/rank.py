"""Ranks the recipes on the first window, and nominates the best that is ahead of the recipe in force beyond doubt.

`python -m recsys_jobs.challenges.bakeoff.rank --run-date D [--recipes A,B]`.

The table goes to `model_metrics` and to MLflow.
"""

from __future__ import annotations

import logging
from datetime import date
from typing import NamedTuple

from recsys_jobs.challenges.bakeoff import record
from recsys_jobs.challenges.bakeoff.entrants import Night, Skipped, load_night, recipe_names, sit
from recsys_jobs.challenges.bakeoff.options import Call, parse
from recsys_jobs.challenges.bakeoff.ranking import Ranking, rank
from recsys_jobs.challenges.bakeoff.windows import windows
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.lake_lock import run_step

log = logging.getLogger(__name__)


class Ranked(NamedTuple):
    """A ranking, who has no part in it, the recipe in force, and the night whose holdout ranked."""

    ranking: Ranking
    skipped: list[Skipped]
    in_force: str
    night: Night


def ranked(call: Call) -> Ranked:
    """Sit the exams and rank; JobError where the recipe in force has no fit. Writes nothing but fits."""
    names = recipe_names(call.run_date, call.recipes, call.settings)
    night, in_force = load_night(windows(call.run_date).ranking, call.settings), names[0]
    entrants, skipped = sit(names, night)
    for one in skipped:
        if one.recipe == in_force:
            raise JobError(f"the recipe in force cannot be fitted, so nothing is measured against it: {one.reason}")
    return Ranked(rank(entrants, in_force, night.context.settings), skipped, in_force, night)


def write(run_date: date, found: Ranked) -> None:
    """Write the table of a ranking to `model_metrics`, MLflow and the log."""
    context, ranking = found.night.context, found.ranking
    record.write(run_date, ranking, found.in_force, context.settings)
    rows = record.table(ranking, found.skipped, found.in_force, context.settings.k)
    tags = context.tags(found.night.cut) | {"run_date": str(run_date), "ranked_on": str(context.run_date)}
    record.log_run(tags, rows, ranking.reason, context.settings.k)
    for row in rows:
        log.info("%-4s %-24s %s", row["place"] or "", row["recipe"], row["came_to"])
    log.info("%s", ranking.reason)


def main() -> None:
    """The job's command line."""
    call = parse(__doc__ or "")
    write(call.run_date, ranked(call))


if __name__ == "__main__":
    run_step(main)
