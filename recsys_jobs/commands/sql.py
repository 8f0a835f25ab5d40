"""The command line of `recsys sql`."""

from __future__ import annotations

import argparse
import os

from recsys_jobs.contracts.errors import UsageError

NAME, WHAT = "sql", "answer one SELECT from the published tables"
MORE = 'Example: recsys sql "select * from recommendations_latest where rank = 1 limit 5"'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recsys sql`."""
    query = os.environ.get("RECSYS_QUERY")
    parser.add_argument("query", nargs="?", default=query, help="the SELECT (default: RECSYS_QUERY)")
    parser.add_argument("--format", choices=("table", "csv"), default="table", help="how to print it (default: table)")


def run(arguments: argparse.Namespace) -> None:
    """Print the rows of the query; UsageError where there is none."""
    from recsys_jobs.lake.sql import show

    if not arguments.query:
        raise UsageError('no query: recsys sql "select …", or make sql Q="select …"')
    show(arguments.query, as_csv=arguments.format == "csv")
