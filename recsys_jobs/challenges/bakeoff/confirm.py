"""Confirms the nominated recipe on the later window: one comparison, named before it is made.

`python -m recsys_jobs.challenges.bakeoff.confirm --run-date D [--recipes A,B]`. The comparison is a challenge,
so that the next night's gate takes up a recipe that passed; no alias moves here. Who is nominated is found again from
the fits. A bake-off of a date that is a week older than the last night measures, and puts nothing in force.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta

from recsys_jobs.challenges.bakeoff.options import Call, parse
from recsys_jobs.challenges.bakeoff.rank import ranked
from recsys_jobs.challenges.bakeoff.ranking import Ranking
from recsys_jobs.challenges.bakeoff.record import Row, difference_row
from recsys_jobs.challenges.challenge import Verdict, challenge
from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta, model_metrics
from recsys_jobs.promotion.measure import metric_rows

_EVERY = timedelta(days=7)  # one bake-off of a backfill decides, the last: any order of dates ends alike
log = logging.getLogger(__name__)


def confirm(call: Call, ranking: Ranking) -> str:
    """Challenge the recipe in force with the nominated one; write what came of it; return it as a sentence."""
    name, said, rows = ranking.nominated, ranking.reason, list[Row]()
    if name and decides(call.run_date, delta.dates(RECOMMENDATIONS)):
        verdict = _challenged(name, call.run_date, call.settings)
        said, rows = verdict.reason, _rows(call.run_date, verdict, call.settings)
    elif name:
        said = f"{ranking.reason}; {call.run_date} is a week older than the last night: nothing is put in force"
    model_metrics.replace(call.run_date, model_metrics.CONFIRMATION, rows)
    return said


def decides(run_date: date, nights: list[date]) -> bool:
    """Whether the bake-off of this date may put a recipe in force: no other is due between it and the last night."""
    return run_date > max(nights, default=run_date) - _EVERY


def _challenged(name: str, run_date: date, settings: Settings) -> Verdict:
    verdicts = challenge([name], run_date, settings)
    return next(verdict for verdict in verdicts if verdict.challenger.fit.recipe.name == name)


def _rows(run_date: date, verdict: Verdict, settings: Settings) -> list[Row]:
    one, protocol = verdict.challenger, model_metrics.CONFIRMATION
    away = difference_row(run_date, one, verdict.difference, protocol, settings.k)
    return [*metric_rows(run_date, one.fit, one.result, protocol), away]


def main() -> None:
    """The job's command line."""
    call = parse(__doc__ or "")
    log.info("%s", confirm(call, ranked(call).ranking))


if __name__ == "__main__":
    run_step(main)
