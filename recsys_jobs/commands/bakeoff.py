"""The command line of `recsys bakeoff`. Imports what it needs when it runs."""

from __future__ import annotations

import argparse

from recsys_jobs.challenges.bakeoff.options import made

WHAT = "fit recipes on the same cuts, rank them, and confirm the best on a later window"
MORE = "One that is better there beyond doubt is in force from the next night on. A second call trains nothing."


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys bakeoff`."""
    command.add_argument("date", help="a night that has run, YYYY-MM-DD: its holdout confirms")
    command.add_argument("--recipes", default="", help="comma between them (default: the setting bakeoff_recipes)")


def run(arguments: argparse.Namespace) -> None:
    """Run the whole bake-off in this process."""
    call = made(arguments.date, arguments.recipes)
    from recsys_jobs.challenges.bakeoff.confirm import confirm
    from recsys_jobs.challenges.bakeoff.rank import ranked, write
    from recsys_jobs.contracts import lake_lock

    with lake_lock.step():
        found = ranked(call)
        write(call.run_date, found)
        print(confirm(call, found.ranking))
