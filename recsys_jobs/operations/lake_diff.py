"""Compares the date-keyed tables of two lakes: `recsys diff LAKE_A LAKE_B [--date D]`.

Rows are matched by key. Provenance columns (versions, run ids, wall times) are left aside and a lake's own
registered name stands for itself; everything else must be equal, ranks exactly and floating point to `TOLERANCE`.
DuckDB works over the Delta tables as Arrow datasets and spills to disk: memory does not grow with the lakes.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import CoalesceOperator, ColumnExpression, ConstantExpression, Expression, FunctionExpression

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import registered_name
from recsys_jobs.contracts.tables import TABLES, Table
from recsys_jobs.lake import delta

TOLERANCE = 1e-5  # relative above 1, absolute below
SHOWN = 5  # differing rows named a table
MEMORY = "1GB"  # DuckDB's limit, beyond which it spills
_DATES = ("run_date", "as_of", "effective_date")
_COPIES = "copies"  # how often the very same row stands; not a column of any table


@dataclass(frozen=True)
class TableDiff:
    """One table in both lakes: counts of rows and of keys that differ, and the first of these in words."""

    table: str
    rows_a: int
    rows_b: int
    only_a: int
    only_b: int
    changed: int
    first: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the two lakes disagree."""
        return bool(self.only_a or self.only_b or self.changed)


def date_column(table: Table) -> str | None:
    """Return the column whose date a row of the table belongs to; None where the table has no dates."""
    return next((name for name in _DATES if name in table.names), None)


def diff(lake_a: Path, lake_b: Path, day: date | None = None) -> list[TableDiff]:
    """Compare every date-keyed table, rows of `day` alone where one is given.

    UsageError for a folder that is no lake; JobError where there is nothing to compare.
    """
    for folder in (lake_a, lake_b):
        _check(folder)
    with _connection() as db:
        diffs = [_compare(db, table, lake_a, lake_b, day) for table in TABLES.values() if date_column(table)]
    if not any(table.rows_a or table.rows_b for table in diffs):
        of = f"of {day} " if day else ""
        raise JobError(f"nothing to compare: neither {lake_a} nor {lake_b} has a row {of}in a table with dates")
    return diffs


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise UsageError(f"{folder} is no lake: there is no such folder")
    if not any((folder / name / "_delta_log").is_dir() for name in TABLES):
        raise UsageError(f"{folder} is no lake: none of its folders is a table such as recommendations/_delta_log")


@contextmanager
def _connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory() as spill:
        config: dict[str, Any] = {
            "memory_limit": MEMORY,
            "temp_directory": spill,
            "autoinstall_known_extensions": False,
        }
        with duckdb.connect(config=config) as db:
            db.execute("SET enable_progress_bar = false")
            db.execute("SET TimeZone = 'UTC'")
            yield db


def _compare(db: duckdb.DuckDBPyConnection, table: Table, lake_a: Path, lake_b: Path, day: date | None) -> TableDiff:
    a = _compared_rows(db, table, lake_a, day, "a_")
    b = _compared_rows(db, table, lake_b, day, "b_")
    same_key = _all(_column(f"a_{name}") == _column(f"b_{name}") for name in table.key)
    in_a = _column(f"a_{_COPIES}").isnotnull()
    in_b = _column(f"b_{_COPIES}").isnotnull()
    alike = _all(_equal(table, name) for name in [*_values(table), _COPIES])
    differing_rows = a.join(b, same_key, how="outer").filter(~(in_a & in_b & alike))
    differing_rows.create(f"differing_{table.name}")  # one pass over the lakes; the queries below read few rows
    differing = db.table(f"differing_{table.name}")
    changed, only_a, only_b = (differing.filter(condition) for condition in (in_a & in_b, ~in_b, ~in_a))
    first = [
        *(f"{_key(table, row, 'a_')}: {_changes(table, row)}" for row in _first(changed, table, "a_")),
        *(f"{_key(table, row, 'a_')}: only in A" for row in _first(only_a, table, "a_")),
        *(f"{_key(table, row, 'b_')}: only in B" for row in _first(only_b, table, "b_")),
    ]
    rows_a, rows_b = _rows(table, lake_a, day), _rows(table, lake_b, day)
    counts = _count(only_a), _count(only_b), _count(changed)
    return TableDiff(table.name, rows_a, rows_b, *counts, tuple(first[:SHOWN]))


def _compared_rows(
    db: duckdb.DuckDBPyConnection, table: Table, folder: Path, day: date | None, prefix: str
) -> duckdb.DuckDBPyRelation:
    """Return the compared columns of one lake's table, prefixed; equal rows once, with how many there are."""
    names = [*table.key, *_values(table)]
    rows = db.from_arrow(_dataset(table, folder, names))
    if day:
        rows = rows.filter(_column(date_column(table) or "") == ConstantExpression(day))
    columns = [_normalised_column(name, folder).alias(f"{prefix}{name}") for name in names]
    return rows.aggregate([*columns, FunctionExpression("count").alias(f"{prefix}{_COPIES}")])


def _dataset(table: Table, folder: Path, names: list[str]) -> Any:
    delta_table = delta.open_table(table, folder)
    if delta_table is None:
        return delta.arrow_schema(table).empty_table().select(names)
    rows = delta.dataset(delta_table)
    if missing := set(names) - set(rows.schema.names):
        raise JobError(f"{folder / table.name} has no column {', '.join(sorted(missing))}: another version wrote it")
    return rows


def _rows(table: Table, folder: Path, day: date | None) -> int:
    delta_table = delta.open_table(table, folder)
    of_day = pc.field(date_column(table)) == pa.scalar(day) if day else None
    return delta.dataset(delta_table).count_rows(filter=of_day) if delta_table else 0


def _normalised_column(name: str, folder: Path) -> Expression:
    """Return the column, a lake's own registered name replaced by a text that is the same for every lake."""
    if name != "model_name":
        return _column(name)
    own = _column(name) == ConstantExpression(registered_name(folder))
    return duckdb.CaseExpression(own, ConstantExpression("the lake's recommender")).otherwise(_column(name))


def _values(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.name not in table.key and not column.provenance]


def _equal(table: Table, name: str) -> Expression:
    """Return whether a column is the same in both lakes; null equals null, and a number equals one close to it."""
    a, b = _column(f"a_{name}"), _column(f"b_{name}")
    same = CoalesceOperator(a == b, a.isnull() & b.isnull())
    numeric = {column.name for column in table.columns if column.type in ("float", "double")}
    if name not in numeric:
        return same
    scale = FunctionExpression("greatest", ConstantExpression(1.0), _size(a), _size(b))
    finite = FunctionExpression("isfinite", a) & FunctionExpression("isfinite", b)
    close = finite & (_size(a - b) <= ConstantExpression(TOLERANCE) * scale)
    return CoalesceOperator(same | close, ConstantExpression(False))


def _first(rows: duckdb.DuckDBPyRelation, table: Table, prefix: str) -> list[dict[str, Any]]:
    first = rows.sort(*(_column(f"{prefix}{name}") for name in table.key)).limit(SHOWN)
    return first.to_arrow_table().to_pylist()


def _key(table: Table, row: dict[str, Any], prefix: str) -> str:
    return ", ".join(f"{name} {row[f'{prefix}{name}']}" for name in table.key)


def _changes(table: Table, row: dict[str, Any]) -> str:
    """Return the columns of a row that differ, with both lakes' values."""
    pairs = {name: (row[f"a_{name}"], row[f"b_{name}"]) for name in [*_values(table), _COPIES]}
    return ", ".join(f"{name} {a!r} in A, {b!r} in B" for name, (a, b) in pairs.items() if not _alike(a, b))


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (math.isnan(a) and math.isnan(b))
    return bool(a == b)


def _count(rows: duckdb.DuckDBPyRelation) -> int:
    [(number,)] = rows.aggregate([FunctionExpression("count")]).fetchall()
    return int(number)


def _all(conditions: Any) -> Expression:
    return reduce(and_, conditions)


def _size(number: Expression) -> Expression:
    return FunctionExpression("abs", number)


def _column(name: str) -> Expression:
    return ColumnExpression(name)
