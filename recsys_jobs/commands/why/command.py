"""The command line of `recsys why`."""

from __future__ import annotations

import argparse
import logging
import os

from recsys_jobs.commands.arguments import date_or_none

NAME, MORE = "why", ""
WHAT = "why a user saw an item: model, inputs by version, history, and where the score comes from"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys why`."""
    parser.add_argument("user", help="the user's id")
    parser.add_argument("item", help="the id of an item on their slate")
    parser.add_argument("--date", help="the run date, YYYY-MM-DD (default: the latest)")


def run(arguments: argparse.Namespace) -> None:
    """Print the trace of the row; UsageError where there is no such row."""
    run_date = date_or_none(arguments.date)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("recsys_jobs.commands.why").setLevel(logging.INFO)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from recsys_jobs.commands.why.print_trace import lines
    from recsys_jobs.commands.why.trace import trace_row

    print("\n".join(lines(trace_row(arguments.user, arguments.item, run_date))))
