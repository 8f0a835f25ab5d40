"""The command line of `recsys night`."""

from __future__ import annotations

import argparse

from recsys_jobs.contracts.settings import parse_date

NAME, WHAT = "night", "run one night through Airflow"
MORE = "Running the same date again is safe and cheap."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys night`."""
    parser.add_argument("date", help="the run date, YYYY-MM-DD: the night has the events before the end of it")
    parser.add_argument("--recipe", default="", help="fit this recipe instead of the one in force")
    parser.add_argument("--allow-refused", action="store_true", help="go on without the files that were refused")


def run(arguments: argparse.Namespace) -> None:
    """Run the night of a date."""
    from recsys_jobs.operations.airflow.night_runner import run_night

    run_night(parse_date(arguments.date), arguments.recipe, arguments.allow_refused)
