"""The subcommand: its arguments and what it runs. The rest is imported when it runs, so that help is quick."""

from __future__ import annotations

import argparse
import logging
import os

from recsys_jobs.contracts.settings import parse_date

WHAT = "why a user saw an item: model, inputs by version, history, and where the score comes from"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys why`."""
    command.add_argument("user", help="the user's id")
    command.add_argument("item", help="the id of an item on their slate")
    command.add_argument("--date", help="the run date, YYYY-MM-DD (default: the latest)")


def run(arguments: argparse.Namespace) -> None:
    """Print the answer; UsageError where there is no such row."""
    day = parse_date(arguments.date) if arguments.date else None
    logging.basicConfig(format="%(message)s")
    logging.getLogger("recsys_jobs.commands.why").setLevel(logging.INFO)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from recsys_jobs.commands.why.print_trace import lines
    from recsys_jobs.commands.why.trace import answer

    print("\n".join(lines(answer(arguments.user, arguments.item, day))))
