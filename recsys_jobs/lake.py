"""The one place where the torch side talks to Delta: delta-rs, no JVM.

Reads go through Arrow; a write replaces what it owns (a date, or rows by key) in one atomic commit.
"""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError

from recsys_jobs.errors import JobError
from recsys_jobs.settings import lake_root
from recsys_jobs.tables import Table

_ARROW = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def arrow_type(spark_type: str) -> pa.DataType:
    """The Arrow type of a Spark SQL type name, `array<…>` included."""
    if spark_type.startswith("array<"):
        return pa.list_(arrow_type(spark_type[len("array<") : -1]))
    return _ARROW[spark_type]


def arrow_schema(table: Table) -> pa.Schema:
    """The table's schema in Arrow."""
    return pa.schema([pa.field(c.name, arrow_type(c.type), c.nullable) for c in table.columns])


def table_path(table: Table, lake: Path | None = None) -> str:
    """Where the table stands."""
    return str((lake or lake_root()) / table.name)


def open_table(table: Table, lake: Path | None = None) -> DeltaTable | None:
    """The Delta table, or None while nothing was ever written to it."""
    try:
        return DeltaTable(table_path(table, lake))
    except TableNotFoundError:
        return None


def read(
    table: Table,
    where: ds.Expression | None = None,
    columns: list[str] | None = None,
    lake: Path | None = None,
) -> pa.Table:
    """Rows that match `where`, sorted by key; an empty table while none was written."""
    delta = open_table(table, lake)
    if delta is None:
        return arrow_schema(table).empty_table().select(columns or table.names)
    wanted = columns or table.names
    fetched = list(dict.fromkeys([*wanted, *table.key]))
    rows = scan(table, lake).to_table(filter=where, columns=fetched)
    return rows.sort_by([(name, "ascending") for name in table.key]).select(wanted)


def read_date(table: Table, day: date, columns: list[str] | None = None, lake: Path | None = None) -> pa.Table:
    """The partition of one date (`run_date` or `as_of`), sorted by key."""
    return read(table, pc.field(table.partitioned_by[0]) == pa.scalar(day), columns, lake)


def version(table: Table, lake: Path | None = None) -> int | None:
    """The Delta version of the table now, for lineage; None while it does not exist."""
    delta = open_table(table, lake)
    return None if delta is None else delta.version()


def replace_date(table: Table, day: date, rows: pa.Table, lake: Path | None = None) -> None:
    """Replace one date's partition by `rows`, in one commit."""
    column = table.partitioned_by[0]
    _write(table, rows, lake, mode="overwrite", predicate=f"{column} = '{day.isoformat()}'")


def append(table: Table, rows: pa.Table, lake: Path | None = None) -> None:
    """Add `rows`, in one commit."""
    _write(table, rows, lake, mode="append")


def upsert(table: Table, rows: pa.Table, lake: Path | None = None) -> None:
    """Insert `rows`, replacing those with equal keys, in one commit."""
    delta = open_table(table, lake)
    if delta is None:
        append(table, rows, lake)
        return
    same = " AND ".join(f"old.{name} = new.{name}" for name in table.key)
    merge = delta.merge(_shaped(table, rows), predicate=same, source_alias="new", target_alias="old")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()


def scan(table: Table, lake: Path | None = None) -> ds.Dataset:
    """The table as an Arrow dataset; an empty one while nothing was ever written to it.

    A table that `upsert` changed is held in memory: what delta-rs rewrites in a merge it marks as string views,
    on which Arrow has no comparison (pyarrow 25), so that a filter on such a file is an error.
    """
    delta = open_table(table, lake)
    if delta is None:
        return ds.dataset(arrow_schema(table).empty_table())
    found = delta.to_pyarrow_dataset()
    if table.partitioned_by:  # written by date, never merged
        return found
    types = {field.type for fragment in found.get_fragments() for field in fragment.physical_schema}
    return ds.dataset(found.to_table()) if pa.string_view() in types else found


def rewrite(table: Table, rows: pa.Table | pa.RecordBatchReader, parts: list[Any] | None = None) -> None:
    """Put `rows` in the place of the table's, or of those of some partitions, in one commit.

    For an erasure or maintenance, which hold the lake alone: whichever engine writes the table is not at work.
    """
    listed = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts or [])
    how = {"predicate": f"{table.partitioned_by[0]} IN ({listed})"} if listed else {}
    write_deltalake(table_path(table), rows, partition_by=list(table.partitioned_by) or None, mode="overwrite", **how)  # type: ignore[call-overload]


def remove_rows(table: Table, gone: ds.Expression) -> int:
    """Write the partitions that have rows like `gone` again without those; return how many rows that were.

    Not Delta's DELETE: its predicate would be logged, and the files that it rewrites hold string views (see `scan`).
    """
    column = next(iter(table.partitioned_by), None)
    rows = read(table, gone, [column or table.key[0]])
    if not rows.num_rows:
        return 0
    parts = pc.unique(rows[column]).to_pylist() if column else []
    stays = ~gone & pc.field(column).isin(parts) if column else ~gone
    rewrite(table, scan(table).scanner(filter=stays).to_reader(), parts)
    return int(rows.num_rows)


def vacuum(delta: DeltaTable, hours: int, dry_run: bool = False) -> list[Path]:
    """Remove the files that no version of the last `hours` needs; return those that were there.

    The caller answers for hours below Delta's own bound of a week: it holds the lake alone, or leaves more.
    """
    run = partial(delta.vacuum, retention_hours=hours, enforce_retention_duration=False, full=True)
    listed = run(dry_run=True)  # removed ones are listed again as long as the log knows them
    there = [
        path for path in (Path(delta.table_uri.removeprefix("file://")) / name for name in listed) if path.exists()
    ]
    if not dry_run:
        run(dry_run=False)
    return there


def _write(table: Table, rows: pa.Table, lake: Path | None, **how: str) -> None:
    partitions = list(table.partitioned_by) or None
    write_deltalake(table_path(table, lake), _shaped(table, rows), partition_by=partitions, **how)  # type: ignore[call-overload]


def _shaped(table: Table, rows: pa.Table) -> pa.Table:
    """`rows` with exactly the table's columns and types; JobError where they do not fit."""
    if table.writer != "delta-rs":
        raise JobError(f"{table.name} is written by {table.writer} alone")
    try:
        return rows.select(table.names).cast(arrow_schema(table))
    except (KeyError, pa.ArrowInvalid, ValueError) as error:
        raise JobError(f"rows do not fit table {table.name}: {error}") from None
