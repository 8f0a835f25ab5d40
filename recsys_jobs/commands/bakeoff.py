"""The command line of `recsys bakeoff`. Imports what it needs when it runs."""

from __future__ import annotations

import argparse

from recsys_jobs.challenges.bakeoff.options import build_options as bakeoff_options
from recsys_jobs.contracts import lake_lock

NAME, WHAT = "bakeoff", "fit recipes on the same cuts, rank them, and confirm the best on a later window"
MORE = "One that is better there beyond doubt is in force from the next night on. A second call trains nothing."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys bakeoff`."""
    parser.add_argument("date", help="a night that has run, YYYY-MM-DD: its holdout confirms")
    parser.add_argument("--recipes", default="", help="comma between them (default: the setting bakeoff_recipes)")


def run(arguments: argparse.Namespace) -> None:
    """Run the whole bake-off in this process."""
    options = bakeoff_options(arguments.date, arguments.recipes)
    from recsys_jobs.challenges.bakeoff.confirm import confirm
    from recsys_jobs.challenges.bakeoff.rank import rank_recipes, write_ranking

    with lake_lock.step():
        results = rank_recipes(options)
        write_ranking(options.run_date, results)
        print(confirm(options, results.ranking))
