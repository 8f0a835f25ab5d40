"""The command line of `recsys publish`."""

from __future__ import annotations

import argparse
import logging

from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.errors import UsageError

NAME, WHAT = "publish", "publish the newest night again: a new blocklist counts at once"
MORE = """

Nothing is fitted and no alias moves; the kept factors rank everybody anew, so that all still get K items.
The blocklist is blocklist.csv in the lake's folder, or the file that RECSYS_BLOCKLIST names:
  kind,value,reason
  item,B00000016W,recalled
  brand,Acme,dispute of May
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys publish`."""
    parser.add_argument("--latest", action="store_true", help="the newest published night")


def run(arguments: argparse.Namespace) -> None:
    """Publish the newest night again; UsageError without `--latest`."""
    if not arguments.latest:
        raise UsageError("which night? recsys publish --latest; an older one is published by running it again")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from recsys_jobs.publishing.republish import republish_latest

    with lake_lock.step():
        republish_latest()
