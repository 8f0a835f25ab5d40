"""The command line of `recsys status`."""

from __future__ import annotations

import argparse

NAME, MORE = "status", ""
WHAT = "one screen: the last good night and its age, what runs, what is red, what serves, disk"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`recsys status` takes no arguments."""


def run(arguments: argparse.Namespace) -> None:
    """Print it."""
    from recsys_jobs.operations.status import status_lines

    print("\n".join(status_lines()))
