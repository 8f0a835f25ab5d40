"""The command line of `recsys models`."""

from __future__ import annotations

import argparse
import logging

from recsys_jobs.contracts.settings import load_settings

NAME, MORE = "models", ""
WHAT = "what serves, since when and why, and every registered version"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`recsys models` takes no arguments."""


def run(arguments: argparse.Namespace) -> None:
    """Print what serves and what is registered."""
    from recsys_jobs.challenges.show_status import status_lines

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    print("\n".join(status_lines(load_settings())))
