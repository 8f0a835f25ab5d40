"""Ranks the recipes on the first window, and nominates the best that is ahead of the recipe in force beyond doubt.

`python -m recsys_jobs.challenges.bakeoff.rank --run-date D [--recipes A,B]`.

The table goes to `model_metrics` and to MLflow.
"""

from __future__ import annotations

import logging
from datetime import date
from typing import NamedTuple

from recsys_jobs.challenges.bakeoff import record
from recsys_jobs.challenges.bakeoff.entrants import (
    RankingNight,
    Skipped,
    evaluate_recipes,
    load_ranking_night,
    recipe_names,
)
from recsys_jobs.challenges.bakeoff.options import BakeoffOptions, parse_options
from recsys_jobs.challenges.bakeoff.ranking import Ranking, rank
from recsys_jobs.challenges.bakeoff.windows import windows
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.lake_lock import run_step

log = logging.getLogger(__name__)


class RankingRun(NamedTuple):
    """A ranking, the recipes that it leaves out, the recipe in force, and the night whose holdout ranked."""

    ranking: Ranking
    skipped: list[Skipped]
    in_force: str
    night: RankingNight


def rank_recipes(options: BakeoffOptions) -> RankingRun:
    """Evaluate the recipes and rank them; JobError where the recipe in force has no fit. Writes nothing but fits."""
    names = recipe_names(options.run_date, options.recipes, options.settings)
    in_force = names[0]
    night = load_ranking_night(windows(options.run_date).ranking, options.settings)
    entrants, skips = evaluate_recipes(names, night)
    for skipped in skips:
        if skipped.recipe == in_force:
            raise JobError(f"the recipe in force cannot be fitted, so nothing is measured against it: {skipped.reason}")
    return RankingRun(rank(entrants, in_force, night.context.settings), skips, in_force, night)


def write_ranking(run_date: date, run: RankingRun) -> None:
    """Write the table of a ranking to `model_metrics`, MLflow and the log."""
    context, ranking = run.night.context, run.ranking
    k = context.settings.k
    record.write_metrics(run_date, ranking, run.in_force, context.settings)
    rows = record.ranking_table(ranking, run.skipped, run.in_force, k)
    tags = context.tags(run.night.cut) | {"run_date": str(run_date), "ranked_on": str(context.run_date)}
    record.log_run(tags, rows, ranking.reason, k)
    for row in rows:
        log.info("%-4s %-24s %s", row["place"] or "", row["recipe"], row["came_to"])
    log.info("%s", ranking.reason)


def main() -> None:
    """The job's command line."""
    options = parse_options(__doc__ or "")
    write_ranking(options.run_date, rank_recipes(options))


if __name__ == "__main__":
    run_step(main)
