"""The command line of `recsys forget`."""

from __future__ import annotations

import argparse
import logging

NAME, WHAT = "forget", "remove a reviewer from tables, file versions, slates and models"
MORE = """

Their rows leave every table, every older version of those tables and every published slate; the versions before
are gone for everybody, so time travel in these tables starts anew. A salted hash keeps them out when the same dump
is read again. What it cannot reach is said at the end: landed files and backups.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys forget`."""
    parser.add_argument("user", help="the reviewer's id")


def run(arguments: argparse.Namespace) -> None:
    """Remove the reviewer and print what was removed."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from recsys_jobs.operations.erasure.forget import forget

    print(forget(arguments.user))
