"""The command line of `recsys embeddings`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from recsys_jobs.commands.arguments import date_or_none
from recsys_jobs.contracts.errors import UsageError

NAME, WHAT, MORE = "embeddings", "vectors of contents: make them before a fit, list them by encoder, drop them", ""
_TEST_ITEMS = 100  # items of --test


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys embeddings`, a part at a time."""
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    compute = parts.add_parser("compute", help="encode what a data set's items have and nobody encoded before")
    compute.add_argument("data", type=Path, metavar="DATA", help="a data set's folder, as recsys exam reads it")
    compute.add_argument("--encoders", default="", metavar="VISION_LANGUAGE", help="as in resnet_sentence-bert")
    compute.add_argument("--date", default="", metavar="D", help="a lake's run date, YYYY-MM-DD")
    few = compute.add_mutually_exclusive_group()
    few.add_argument("--test", action="store_true", help=f"the first {_TEST_ITEMS} items alone")
    few.add_argument("--limit", type=int, metavar="N", help="the first N items alone")
    compute.add_argument("--force", action="store_true", help="encode again what has a vector")
    compute.set_defaults(run_part=_compute)
    listing = parts.add_parser("list", help="encoder, modality, dimension, rows and bytes, by lake")
    listing.add_argument("--lake", type=Path, metavar="DIR", help="this lake (default: the nights' and the exams')")
    listing.set_defaults(run_part=_list)
    drop = parts.add_parser("drop", help="drop an encoder's vectors; they are encoded again when they are needed")
    drop.add_argument("encoder", nargs="?", default="", help="a name as listed, its part before @, or a pair's")
    drop.add_argument("--all", action="store_true", help="every encoder's")
    drop.add_argument("--lake", type=Path, metavar="DIR", help="of this lake (default: the exams')")
    drop.add_argument("--yes", action="store_true", help="do not ask")
    drop.set_defaults(run_part=_drop)


def run(arguments: argparse.Namespace) -> None:
    """Compute, list or drop vectors."""
    arguments.run_part(arguments)


def confirmed(question: str, yes: bool) -> bool:
    """Ask on a terminal, y or N; UsageError where there is none to ask and --yes was not said."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is here to ask: say --yes")
    return input(f"{question} y/N ").strip().lower() in ("y", "yes")


def _compute(arguments: argparse.Namespace) -> None:
    if arguments.limit is not None and arguments.limit < 1:
        raise UsageError(f"--limit is {arguments.limit}: write a number above 0")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    from recsys_jobs.operations.storage.compute import compute

    limit = _TEST_ITEMS if arguments.test else arguments.limit
    run_date = date_or_none(arguments.date)
    compute(arguments.data.absolute(), run_date, arguments.encoders, limit, arguments.force)


def _list(arguments: argparse.Namespace) -> None:
    from recsys_jobs.operations.storage.listing import show

    show(arguments.lake)


def _drop(arguments: argparse.Namespace) -> None:
    if bool(arguments.encoder) == arguments.all:
        raise UsageError("drop which? name an encoder as recsys embeddings list has it, or say --all")
    from recsys_jobs.operations.storage.drop import drop

    drop(arguments.encoder, arguments.lake, lambda question: confirmed(question, arguments.yes))
