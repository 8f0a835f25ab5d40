"""The command line of `recsys show`."""

from __future__ import annotations

import argparse
from pathlib import Path

from recsys_jobs.commands.arguments import date_or_none

NAME, WHAT, MORE = "show", "one user's history and slate, with titles", ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys show`."""
    parser.add_argument("user", nargs="?", help="the user's id (default: a user with a middling history)")
    parser.add_argument("--date", help="the run date, YYYY-MM-DD (default: the latest)")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw both with their photos, too")


def run(arguments: argparse.Namespace) -> None:
    """Print the history and the slate, and maybe draw them."""
    from recsys_jobs.commands.show.slate import show_slate

    show_slate(arguments.user, date_or_none(arguments.date), arguments.picture)
