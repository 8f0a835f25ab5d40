"""The command line of `recsys maintain`."""

from __future__ import annotations

import argparse
import logging

NAME, WHAT, MORE = "maintain", "compact, vacuum and drop what the retention settings let go", ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys maintain`."""
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")


def run(arguments: argparse.Namespace) -> None:
    """Run every step of the maintenance."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from recsys_jobs.operations.retention import STEPS, maintain

    maintain(list(STEPS), dry_run=arguments.dry_run)
