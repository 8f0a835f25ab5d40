"""The command line of `recsys tune`. Imports what it needs when it runs."""

from __future__ import annotations

import argparse
import logging
import math
from datetime import date

from recsys_jobs.commands.arguments import date_or_none
from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import load_settings
from recsys_jobs.tuning.options import TuneOptions

NAME = "tune"
WHAT = "search a recipe's hyperparameters by validation before a cut, and confirm the winner once on a later window"
MORE = "The winner challenges the recipe in force. A search that was broken off goes on; a second look is never taken."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys tune`."""
    parser.add_argument("recipe", metavar="RECIPE", help="what the search begins with; not a blend, but a part of it")
    parser.add_argument("--date", help="the night whose holdout confirms, YYYY-MM-DD (default: the latest)")
    parser.add_argument("--minutes", type=float, default=30.0, help="start no trial after that (default: %(default)g)")
    parser.add_argument("--trials", type=int, help="or after so many, with those of earlier calls")
    parser.add_argument("--search-only", action="store_true", help="leave the later window for another call")


def options_of(arguments: argparse.Namespace) -> TuneOptions:
    """Return the options that the arguments make; UsageError for no budget, no date, an unknown recipe."""
    from recsys_jobs.models.recipes import get_recipe

    minutes = arguments.minutes
    trials = math.inf if arguments.trials is None else arguments.trials
    if not minutes > 0:
        raise UsageError(
            f"--minutes {minutes:g} leaves no time for a trial: write a number above 0, as in --minutes 30"
        )
    if trials < 1:
        raise UsageError(f"--trials {trials} leaves no trial: write 1 or more, or leave it out")
    name = get_recipe(arguments.recipe).name
    run_date = date_or_none(arguments.date) or _latest_night()
    return TuneOptions(name, run_date, minutes, trials, not arguments.search_only, load_settings())


def _latest_night() -> date:
    from recsys_jobs.contracts.tables import RECOMMENDATIONS
    from recsys_jobs.lake import delta

    run_date = max(delta.dates(RECOMMENDATIONS), default=None)
    if run_date is None:
        raise UsageError("nothing is published yet: run a night first, or name one with --date")
    return run_date


def run(arguments: argparse.Namespace) -> None:
    """Run the search in this process."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = options_of(arguments)
    from recsys_jobs.tuning.tune import tune

    with lake_lock.step():
        print(tune(options))
