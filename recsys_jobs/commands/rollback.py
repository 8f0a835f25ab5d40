"""The command line of `recsys rollback`."""

from __future__ import annotations

import argparse
import logging

from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.settings import load_settings

NAME, MORE = "rollback", ""
WHAT = "reject the version that serves and go back to the one before; again, one further back"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys rollback`."""
    parser.add_argument("--reason", default="", help="what the log of decisions should say besides")


def run(arguments: argparse.Namespace) -> None:
    """Go back to the version that served before."""
    with lake_lock.step():
        from recsys_jobs.publishing.promote_rollback import rollback

        logging.basicConfig(level=logging.INFO, format="%(message)s")
        rollback(arguments.reason, load_settings())
