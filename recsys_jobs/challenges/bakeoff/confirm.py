"""Confirms the nominated recipe on the later window: one comparison, named before it is made.

`python -m recsys_jobs.challenges.bakeoff.confirm --run-date D [--recipes A,B]`. The comparison is a challenge,
so that the next night's gate takes up a recipe that passed; no alias moves here. The nomination is computed again from
the fits. A bake-off of a date that is a week older than the last night measures, and puts nothing in force.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta

from recsys_jobs.challenges.bakeoff.options import BakeoffOptions, parse_options
from recsys_jobs.challenges.bakeoff.rank import rank_recipes
from recsys_jobs.challenges.bakeoff.ranking import Ranking
from recsys_jobs.challenges.bakeoff.record import Row, difference_row
from recsys_jobs.challenges.challenge import Verdict, challenge
from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta, model_metrics
from recsys_jobs.promotion.measure import metric_rows

_INTERVAL = timedelta(days=7)  # one bake-off of a backfill decides, the last: any order of dates ends alike
log = logging.getLogger(__name__)


def confirm(options: BakeoffOptions, ranking: Ranking) -> str:
    """Challenge the recipe in force with the nominated one; write the verdict; return its reason as a sentence."""
    run_date, settings = options.run_date, options.settings
    nominated, reason = ranking.nominated, ranking.reason
    rows: list[Row] = []
    if nominated and may_decide(run_date, delta.dates(RECOMMENDATIONS)):
        verdict = _challenge_nominee(nominated, run_date, settings)
        reason = verdict.reason
        rows = _metric_rows(run_date, verdict, settings)
    elif nominated:
        reason = f"{ranking.reason}; {run_date} is a week older than the last night: nothing is put in force"
    model_metrics.replace(run_date, model_metrics.CONFIRMATION, rows)
    return reason


def may_decide(run_date: date, nights: list[date]) -> bool:
    """Whether the bake-off of this date may put a recipe in force: no other is due between it and the last night."""
    return run_date > max(nights, default=run_date) - _INTERVAL


def _challenge_nominee(name: str, run_date: date, settings: Settings) -> Verdict:
    verdicts = challenge([name], run_date, settings)
    return next(verdict for verdict in verdicts if verdict.challenger.fit.recipe.name == name)


def _metric_rows(run_date: date, verdict: Verdict, settings: Settings) -> list[Row]:
    challenger, protocol = verdict.challenger, model_metrics.CONFIRMATION
    rows = metric_rows(run_date, challenger.fit, challenger.result, protocol)
    return [*rows, difference_row(run_date, challenger, verdict.difference, protocol, settings.k)]


def main() -> None:
    """The job's command line."""
    options = parse_options(__doc__ or "")
    log.info("%s", confirm(options, rank_recipes(options).ranking))


if __name__ == "__main__":
    run_step(main)
