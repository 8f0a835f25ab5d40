"""The command line of `recsys sample`."""

from __future__ import annotations

import argparse
from pathlib import Path

from recsys_jobs.contracts.settings import parse_date
from recsys_jobs.sample.dates import DEFAULT_USERS, SECOND_NIGHT

NAME, WHAT, MORE = "sample", "write sample dumps: people with tastes, items with photos", ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys sample`."""
    parser.add_argument("--out", required=True, help="the landing zone to write")
    parser.add_argument("--users", type=int, default=DEFAULT_USERS, help="how many people (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="same seed and size, same bytes (default: 0)")
    parser.add_argument(
        "--until", default=str(SECOND_NIGHT), help="the last dated folder, YYYY-MM-DD (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the dumps and print what was written."""
    from recsys_jobs.sample.landing import write

    print(write(Path(arguments.out), arguments.users, arguments.seed, parse_date(arguments.until)))
