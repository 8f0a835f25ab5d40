"""The command line of `recsys checkpoints`. Standard library only."""

from __future__ import annotations

import argparse

NAME, WHAT, MORE = "checkpoints", "states of trainings that were broken off: list them, tidy them away", ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys checkpoints`, a part at a time."""
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    listing = parts.add_parser("list", help="fingerprint, recipe, lake, cut, epochs, when, bytes, state")
    tidy = parts.add_parser("tidy", help="remove those of fits that are finished or abandoned, or that are broken")
    tidy.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
    for part in (listing, tidy):
        part.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def run(arguments: argparse.Namespace) -> None:
    """List the checkpoints, or tidy them away."""
    from recsys_jobs.operations.storage import checkpoints

    if arguments.part == "list":
        checkpoints.show(arguments.json)
    else:
        checkpoints.remove_unneeded(arguments.dry_run, arguments.json)
