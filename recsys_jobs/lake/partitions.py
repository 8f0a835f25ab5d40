"""Reads of some rows of very large tables: constant SQL over the files of a date, values as parameters alone.

DuckDB reads local files itself: it decodes the filtered columns first and the rest only where a row is left, and it
takes what `upsert` has rewritten, which Arrow must hold in memory (see delta.scan). A lake on S3 is read through Arrow.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import unquote

import duckdb
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from recsys_jobs.contracts.tables import Table
from recsys_jobs.lake import delta

Row = dict[str, Any]


class Source(NamedTuple):
    """What a name of a query stands for: a table, or one date of it, which then is no column."""

    table: Table
    day: date | None = None


class Partitions:
    """The tables as they are now, each opened once: what one page says is of one state of each."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._opened: dict[str, DeltaTable | None] = {}

    def rows(self, query: str, sources: Mapping[str, Source], **parameters: Any) -> list[Row]:
        """The rows of one constant SELECT; its tables are the names of `sources`, its values are `$parameters`."""
        for name, source in sources.items():
            self._add_view(name, source)
        result = self._connection.execute(query, parameters)
        columns = [column[0] for column in result.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]

    def count(self, source: Source) -> int:
        """How many rows the log counts; no file is read."""
        return sum(action["num_records"] for action in self._actions(source))

    def row_groups(self, source: Source) -> list[ds.Fragment]:
        """The row groups of the source's files, in order: what is read to look at a few rows of very many."""
        if not (table := self._open(source.table)):
            return []
        dataset = delta.dataset(table, delta.arrow_schema(source.table))
        fragments = dataset.get_fragments(filter=_of_day(source))
        return [group for fragment in fragments for group in fragment.split_by_row_group()]

    def bounds(self, source: Source, column: str) -> list[tuple[Any, Any]]:
        """The least and the largest value of each row group, from the files' footers; of a text, maybe cut short."""
        groups = [group.row_groups[0].statistics or {} for group in self.row_groups(source)]
        return [(known[column]["min"], known[column]["max"]) for known in groups if column in known]

    def random_value(self, source: Source, column: str, generator: random.Random) -> Any:
        """The column's value in a row drawn at random; None where there is no row."""
        groups = self.row_groups(source)
        if not groups:
            return None
        [group] = generator.choices(groups, weights=[_count_rows(group) for group in groups])
        values = group.to_table(columns=[column])[column]
        return values[generator.randrange(len(values))].as_py()

    def _open(self, table: Table) -> DeltaTable | None:
        if table.name not in self._opened:
            self._opened[table.name] = delta.open_table(table)
        return self._opened[table.name]

    def _actions(self, source: Source) -> list[Row]:
        """What the log says of the source's files."""
        table = self._open(source.table)
        actions = delta.add_actions(table) if table else []
        if source.day is None:
            return actions
        column = f"partition.{source.table.partitioned_by[0]}"
        return [action for action in actions if action[column] == source.day]

    def _add_view(self, name: str, source: Source) -> None:
        """Let queries call the source's rows by `name`; none where nothing was written."""
        table, actions = self._open(source.table), self._actions(source)
        if not table or not actions:
            relation = self._connection.from_arrow(delta.arrow_schema(source.table).empty_table())
        elif folder := delta.local_folder(table):
            paths = [str(folder / unquote(action["path"])) for action in actions]
            relation = self._connection.from_parquet(paths, union_by_name=len(paths) > 1)
        else:
            rows = delta.scan(source.table)
            relation = self._connection.from_arrow(rows.filter(_of_day(source)) if source.day else rows)
        relation.create_view(name, replace=True)


def _of_day(source: Source) -> ds.Expression | None:
    return pc.field(source.table.partitioned_by[0]) == pc.scalar(source.day) if source.day else None


def _count_rows(group: ds.Fragment) -> int:
    return sum(part.num_rows for part in group.row_groups)


@contextmanager
def open_partitions() -> Iterator[Partitions]:
    """The lake's tables, for the reads of one page."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET python_enable_replacements = false")
        yield Partitions(connection)
