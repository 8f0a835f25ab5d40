"""The one console command, `recsys`. Subcommands import what they need when they run, so that help is quick."""

from __future__ import annotations

import argparse
from typing import Protocol

from recsys_jobs.commands import (
    backfill,
    bakeoff,
    challenge,
    checkpoints,
    demo,
    diff,
    embeddings,
    exam,
    forget,
    maintain,
    models,
    night,
    promote,
    publish,
    rollback,
    sample,
    sql,
    status,
    tune,
    ui,
)
from recsys_jobs.commands.recommend import command as recommend
from recsys_jobs.commands.show import command as show
from recsys_jobs.commands.why import command as why
from recsys_jobs.contracts.errors import run_main

_EPILOG = """\
places and configuration come from the environment:
  RECSYS_LANDING        where raw dumps land                    (default: var/landing)
  RECSYS_LAKE           where the Delta tables stand            (default: var/lake)
  RECSYS_CONFIG         a configuration's name or a TOML file   (default: default)
  RECSYS_DEVICE         auto, cpu or cuda                       (default: auto)
  RECSYS_SPARK_MASTER   Spark's master                          (default: local[*])
  MLFLOW_TRACKING_URI   MLflow's server or database             (default: SQLite under var/mlflow)
exit status: 0 done, 1 the work failed, 2 the call was wrong
"""


class Subcommand(Protocol):
    """What each module of a subcommand has: its name, a line of help, more lines, its arguments, its work."""

    NAME: str
    WHAT: str
    MORE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the subcommand's arguments."""

    def run(self, arguments: argparse.Namespace) -> None:
        """Do the subcommand's work."""


# in the order of the help
SUBCOMMANDS: tuple[Subcommand, ...] = (
    demo,
    night,
    backfill,
    diff,
    sample,
    sql,
    show,
    why,
    exam,
    recommend,
    embeddings,
    checkpoints,
    ui,
    status,
    challenge,
    promote,
    rollback,
    models,
    bakeoff,
    tune,
    publish,
    forget,
    maintain,
)


def parser() -> argparse.ArgumentParser:
    """Return the command line of `recsys`."""
    top = argparse.ArgumentParser(
        prog="recsys",
        description="A nightly multimodal recommender: from raw review dumps to a top-K table.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for subcommand in SUBCOMMANDS:
        sentence = f"{subcommand.WHAT[0].upper()}{subcommand.WHAT[1:]}."
        subparser = subparsers.add_parser(
            subcommand.NAME,
            help=subcommand.WHAT,
            description=f"{sentence} {subcommand.MORE}".strip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        subcommand.add_arguments(subparser)
        subparser.set_defaults(run=subcommand.run)
    return top


def main() -> None:
    """Run the subcommand that the command line names."""
    arguments = parser().parse_args()
    run_main(lambda: arguments.run(arguments))


if __name__ == "__main__":
    main()
