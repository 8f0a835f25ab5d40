"""The command line of `recsys backfill`."""

from __future__ import annotations

import argparse

from recsys_jobs.contracts.settings import parse_date

NAME, WHAT = "backfill", "run the nights of a range of dates through Airflow's own backfill"
MORE = "A date is missing while no run of it has succeeded. Starts an Airflow if none serves this home."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys backfill`."""
    parser.add_argument("first", help="the first date, YYYY-MM-DD")
    parser.add_argument("last", help="the last date, YYYY-MM-DD")
    parser.add_argument("--rerun", action="store_true", help="run the dates that have succeeded, too")
    parser.add_argument("--reverse", action="store_true", help="the latest date first")
    parser.add_argument("--allow-refused", action="store_true", help="go on without the files that were refused")


def run(arguments: argparse.Namespace) -> None:
    """Run the nights of the range; UsageError where it is no range of past dates."""
    from recsys_jobs.operations.airflow.backfill import BackfillOptions, backfill

    first, last = parse_date(arguments.first), parse_date(arguments.last)
    backfill(BackfillOptions(first, last, arguments.rerun, arguments.reverse, arguments.allow_refused))
