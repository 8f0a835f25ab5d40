"""Read-only SQL over the published tables: DuckDB on Delta through Arrow.

The connection sees the tables of one lake and nothing else: no file, no network, no settings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from recsys_jobs import lake
from recsys_jobs.errors import UsageError
from recsys_jobs.tables import RECOMMENDATIONS, RECOMMENDATIONS_LATEST, TABLES


def connect() -> duckdb.DuckDBPyConnection:
    """A connection that can read the published tables and `recommendations_latest`, and no more."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET python_enable_replacements = false")
    for table in TABLES.values():
        if table.published:
            connection.register(table.name, lake.scan(table))
    connection.execute(f"CREATE VIEW recommendations_latest AS {RECOMMENDATIONS_LATEST}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    connection.execute("SET lock_configuration = true")
    return connection


def query(text: str) -> duckdb.DuckDBPyRelation:
    """The result of one SELECT over the published tables; UsageError where it is none, or wrong."""
    connection = connect()
    with _told():
        statements = connection.extract_statements(text)
        if [s.type for s in statements] != [duckdb.StatementType.SELECT]:
            raise UsageError("the tables are read-only here: write one SELECT")
        return connection.query(statements[0].query)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what DuckDB raises, at once or when the rows are fetched, into one line."""
    try:
        yield
    except duckdb.Error as error:
        names = ", ".join([t.name for t in TABLES.values() if t.published] + [f"{RECOMMENDATIONS.name}_latest"])
        raise UsageError(f"{' '.join(str(error).split())} (tables: {names})") from None


def show(text: str, as_csv: bool = False) -> None:
    """Print the result of `text` as a table, or as CSV."""
    with _told():
        relation = query(text)
        if as_csv:
            relation.to_df().to_csv(sys.stdout, index=False)
        else:
            relation.show(max_width=sys.maxsize if not sys.stdout.isatty() else None, max_rows=200)
