"""The command line of `recsys challenge`."""

from __future__ import annotations

import argparse
import logging

from recsys_jobs.commands.arguments import date_or_none
from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.settings import load_settings

NAME, MORE = "challenge", ""
WHAT = "fit other recipes on a night's cuts; one that is better beyond doubt is in force from the next night"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys challenge`."""
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="several: Holm's correction, and a nomination")
    parser.add_argument("--date", help="the night whose cuts are used, YYYY-MM-DD (default: the latest)")


def run(arguments: argparse.Namespace) -> None:
    """Challenge the recipe in force; UsageError for an unknown recipe."""
    with lake_lock.step():
        from recsys_jobs.challenges.challenge import challenge
        from recsys_jobs.models.recipes import get_recipe

        names = [get_recipe(name).name for name in arguments.recipes]
        run_date = date_or_none(arguments.date)
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        challenge(names, run_date, load_settings())
