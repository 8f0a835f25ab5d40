"""Read-only SQL over the published tables: DuckDB on Delta through Arrow.

The connection sees the tables of one lake and nothing else: no file, no network, no settings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset as ds
from duckdb import FunctionExpression, SQLExpression

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.tables import RECOMMENDATIONS, RECOMMENDATIONS_LATEST, TABLES
from recsys_jobs.lake import delta

_NESTED = {"list", "array", "struct", "map", "union"}


def connect() -> duckdb.DuckDBPyConnection:
    """A connection that can read the published tables and `recommendations_latest`, and no more."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET python_enable_replacements = false")
    for table in TABLES.values():
        if table.published:
            connection.register(table.name, delta.scan(table))
    connection.execute(f"CREATE VIEW recommendations_latest AS {RECOMMENDATIONS_LATEST}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    connection.execute("SET lock_configuration = true")
    return connection


def query(text: str) -> duckdb.DuckDBPyRelation:
    """The result of one SELECT over the published tables; UsageError where it is none, or wrong."""
    connection = connect()
    with _as_usage_error():
        statements = connection.extract_statements(text)
        if [s.type for s in statements] != [duckdb.StatementType.SELECT]:
            raise UsageError("the tables are read-only here: write one SELECT")
        return connection.query(statements[0].query)


@contextmanager
def _as_usage_error() -> Iterator[None]:
    """Turn an error of DuckDB, at once or when the rows are fetched, into a UsageError of one line."""
    try:
        yield
    except duckdb.Error as error:
        names = ", ".join([t.name for t in TABLES.values() if t.published] + [f"{RECOMMENDATIONS.name}_latest"])
        raise UsageError(f"{' '.join(str(error).split())} (tables: {names})") from None


def show(text: str, as_csv: bool = False) -> None:
    """Print the result of `text` as a table, or as CSV."""
    with _as_usage_error():
        relation = query(text)
        if as_csv:
            print_csv(relation)
        else:
            relation.show(max_width=sys.maxsize if not sys.stdout.isatty() else None, max_rows=200)


def print_csv(relation: duckdb.DuckDBPyRelation) -> None:
    """Print the rows as they come, each digit kept, lists and records as JSON; null is blank, an empty text is ""."""
    columns = [_as_text(place, type_.id in _NESTED) for place, type_ in enumerate(relation.types, 1)]
    print(",".join(map(_csv_field, relation.columns)))
    for row in relation.select(*columns).iter_rows():
        print(",".join(map(_csv_field, row)) or '""')  # a line of nothing would be no row


def _as_text(place: int, is_nested: bool) -> duckdb.Expression:
    """A column as text, by its place from 1: two may have one name."""
    column = SQLExpression(f"#{place}")
    return (FunctionExpression("to_json", column) if is_nested else column).cast(duckdb.sqltypes.VARCHAR)


def _csv_field(text: str | None) -> str:
    if text is None:
        return ""
    is_plain = text and not any(mark in text for mark in ',"\r\n')
    return text if is_plain else '"' + text.replace('"', '""') + '"'


@contextmanager
def quiet_connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own, for a step: a progress bar would write over the log's lines."""
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        yield connection


@contextmanager
def spilling_connection(memory: str, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A quiet connection that keeps to so much memory, and beyond it writes into `folder`, which is its alone."""
    with quiet_connection() as connection:
        connection.execute("SET memory_limit = $limit", {"limit": memory})
        connection.execute("SET temp_directory = $folder", {"folder": str(folder)})
        yield connection


def query_rows(text: str, rows: ds.Dataset) -> list[tuple[Any, ...]]:
    """The answer of one SELECT over `rows`."""
    with quiet_connection() as connection:
        connection.register("rows", rows)
        return connection.execute(text).fetchall()
