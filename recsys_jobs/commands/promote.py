"""The command line of `recsys promote`."""

from __future__ import annotations

import argparse
import logging

from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import load_settings

NAME, MORE = "promote", ""
WHAT = "let a registered version serve and hold it there, or release what is held"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys promote`."""
    parser.add_argument("version", nargs="?", type=int, help="the registry version (see recsys models)")
    parser.add_argument("--release", action="store_true", help="hold nothing: nights publish what they fit again")
    parser.add_argument("--reason", default="", help="what the log of decisions should say besides")


def run(arguments: argparse.Namespace) -> None:
    """Promote the version, or release the one that is held; UsageError unless it is one of the two."""
    with lake_lock.step():
        if (arguments.version is None) == (not arguments.release):
            raise UsageError("name a version to promote (recsys models lists them), or --release what is held")
        from recsys_jobs.publishing.promote_rollback import promote, release

        logging.basicConfig(level=logging.INFO, format="%(message)s")
        if arguments.release:
            release(arguments.reason, load_settings())
        else:
            promote(arguments.version, arguments.reason, load_settings())
