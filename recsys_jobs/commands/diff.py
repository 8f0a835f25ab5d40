"""Compares two lakes and prints how they differ: `recsys diff LAKE_A LAKE_B [--date D]`."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from recsys_jobs.commands.arguments import date_or_none
from recsys_jobs.contracts.errors import JobError

NAME, WHAT = "diff", "compare the date-keyed tables of two lakes"
MORE = "Provenance aside, ranks exactly, scores to 1e-5. Exit status 1 where they differ."
_COLUMN_WIDTHS = (12, 12, 12, 12, 10)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys diff`."""
    parser.add_argument("lake_a", type=Path, metavar="LAKE_A", help="a folder such as RECSYS_LAKE names")
    parser.add_argument("lake_b", type=Path, metavar="LAKE_B", help="another one")
    parser.add_argument("--date", help="compare the rows of this date alone, YYYY-MM-DD")


def run(arguments: argparse.Namespace) -> None:
    """Print the comparison; JobError where the lakes differ."""
    day = date_or_none(arguments.date)
    show(arguments.lake_a.absolute(), arguments.lake_b.absolute(), day)


def show(lake_a: Path, lake_b: Path, day: date | None = None) -> None:
    """Print the comparison; JobError, naming the tables, where the lakes differ."""
    from recsys_jobs.operations.lake_diff import diff

    tables = diff(lake_a, lake_b, day)
    print(f"A  {lake_a}\nB  {lake_b}\n")
    print(f"{'table':18}{'rows in A':>12}{'rows in B':>12}{'only in A':>12}{'only in B':>12}{'changed':>10}")
    for table in tables:
        counts = (table.rows_a, table.rows_b, table.only_a, table.only_b, table.changed)
        cells = [f"{count:>{width},}" for count, width in zip(counts, _COLUMN_WIDTHS, strict=True)]
        print(f"{table.table:18}" + "".join(cells))
    print()
    for table in tables:
        for line in table.first:
            print(f"{table.table}: {line}")
    differing = [table.table for table in tables if table.differs]
    if differing:
        raise JobError(f"the lakes differ in {', '.join(differing)}")
    print("equal")
