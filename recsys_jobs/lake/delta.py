"""The one place that talks to Delta, with table_files beside it: delta-rs, no JVM.

Reads go through Arrow; a write replaces what it owns (a date, or rows by key) in one atomic commit.
Inside `pinned` the lake's tables are read at fixed versions: a concurrent writer changes nothing.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from functools import partial, reduce
from operator import and_
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as fs
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler

from recsys_jobs.contracts import fault_injection
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import lake_root, table_uri
from recsys_jobs.contracts.tables import Table

_NOT_PINNED: Mapping[str, int | None] = {}
_pins: ContextVar[Mapping[str, int | None]] = ContextVar("pins", default=_NOT_PINNED)

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
    """Where the table stands: a folder, or an s3:// address (keys and endpoint: the variables AWS_…)."""
    return table_uri(table.name, lake or lake_root())


def open_table(table: Table, lake: Path | None = None) -> DeltaTable | None:
    """The Delta table, or None while nothing was ever written to it; JobError where a pinned version is gone."""
    pins = _NOT_PINNED if lake else _pins.get()
    pinned_version = pins.get(table.name)
    if table.name in pins and pinned_version is None:  # it did not exist yet
        return None
    try:
        return DeltaTable(table_path(table, lake), version=pinned_version)
    except TableNotFoundError:
        return None
    except DeltaError as error:
        if pinned_version is None:
            raise
        raise JobError(f"version {pinned_version} of {table.name} is not kept any more: {error}") from None


def dataset(delta: DeltaTable, schema: pa.Schema | None = None) -> ds.Dataset:
    """The table's files as an Arrow dataset.

    Of a file its partition alone is known beforehand; Arrow reads the rest from the file's own statistics. What
    delta-rs tells Arrow of a column without bounds in the log, as booleans never have any, is that its values are
    beyond null: any comparison with it finds no row.

    Local files are read by Arrow itself: delta-rs's reader is Python that Arrow's threads call, and a process that
    ends while one of them closes a file is aborted, its work done and its exit status -6 (apache/arrow#34314).
    """
    schema = schema or pa.schema(delta.schema().to_arrow())
    folder, parquet = filesystem(delta), ds.ParquetFileFormat()
    fragments = [
        parquet.make_fragment(unquote(action["path"]), folder, _partition(action, schema))
        for action in add_actions(delta)
    ]
    return ds.FileSystemDataset(fragments, schema, parquet, folder)


def add_actions(delta: DeltaTable) -> list[dict[str, Any]]:
    """What the log says of each file: `path` (with escapes), `num_records`, `partition.<column>`, bounds."""
    return pa.table(delta.get_add_actions(flatten=True)).to_pylist()


def local_folder(delta: DeltaTable) -> Path | None:
    """The table's folder, None where it is not on this machine's disks."""
    address = urlsplit(delta.table_uri)
    return Path(url2pathname(address.path)) if address.scheme == "file" else None


def filesystem(delta: DeltaTable) -> fs.FileSystem:
    """The table's folder, as Arrow sees it."""
    if folder := local_folder(delta):
        return fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem())
    return fs.PyFileSystem(DeltaStorageHandler.from_table(delta._table, None, delta._table.get_add_file_sizes()))


def _partition(action: dict[str, Any], schema: pa.Schema) -> ds.Expression:
    """What the rows of a file have in common."""
    values = {name: action[f"partition.{name}"] for name in schema.names if f"partition.{name}" in action}
    common = [pc.field(name) == pa.scalar(value, schema.field(name).type) for name, value in values.items()]
    return reduce(and_, common, pc.scalar(True))


@contextmanager
def pinned(versions: Mapping[str, int | None]) -> Iterator[None]:
    """Within, read these tables of the lake at these Delta versions, None being before the first; for reading only."""
    token = _pins.set(versions)
    try:
        yield
    finally:
        _pins.reset(token)


def read(
    table: Table,
    where: ds.Expression | None = None,
    columns: list[str] | None = None,
    lake: Path | None = None,
) -> pa.Table:
    """Rows that match `where`, sorted by key; an empty table while none was written.

    A column that is newer than the table is null until a row that has it is written.
    """
    delta = open_table(table, lake)
    if delta is None:
        return arrow_schema(table).empty_table().select(columns or table.names)
    selected = columns or table.names
    fetched = list(dict.fromkeys([*selected, *table.key]))
    rows = scan(table, lake).to_table(filter=where, columns=fetched)
    return rows.sort_by([(name, "ascending") for name in table.key]).select(selected)


def read_date(table: Table, day: date, columns: list[str] | None = None, lake: Path | None = None) -> pa.Table:
    """The partition of one date (`run_date` or `as_of`), sorted by key."""
    return read(table, pc.field(table.partitioned_by[0]) == pa.scalar(day), columns, lake)


def dates(table: Table, lake: Path | None = None) -> list[date]:
    """The dates that a table partitioned by date has rows of, in order; from its log, without reading a row."""
    delta = open_table(table, lake)
    column = table.partitioned_by[0]
    return sorted({date.fromisoformat(part[column]) for part in delta.partitions()} if delta else set())


def version(table: Table, lake: Path | None = None) -> int | None:
    """The Delta version of the table now, for lineage; None while it does not exist."""
    delta = open_table(table, lake)
    return None if delta is None else delta.version()


@dataclass(frozen=True)
class Files:
    """The data files of a table at one version; without arguments, of a table that does not exist yet."""

    version: int = -1
    paths: frozenset[str] = frozenset()


def files(table: Table, lake: Path | None = None) -> Files:
    """The table's data files now; from its log, without reading a row."""
    delta = open_table(table, lake)
    return Files() if delta is None else Files(delta.version(), frozenset(dataset(delta).files))


def scan_added(table: Table, earlier: Files, lake: Path | None = None) -> ds.Dataset:
    """The rows of those files that the table has now and had not `earlier`, as an Arrow dataset.

    Where rows were rewritten meanwhile, as compaction does, older rows are among them.
    """
    delta = open_table(table, lake)
    if delta is None or delta.version() == earlier.version:
        return ds.dataset(arrow_schema(table).empty_table())
    rows = dataset(delta)
    added = [fragment for fragment in rows.get_fragments() if fragment.path not in earlier.paths]
    return ds.FileSystemDataset(added, rows.schema, rows.format, rows.filesystem)


def replace_date(table: Table, day: date, rows: pa.Table, lake: Path | None = None) -> None:
    """Replace one date's partition by `rows`, in one commit."""
    column = table.partitioned_by[0]
    _write(table, rows, lake, mode="overwrite", predicate=f"{column} = '{day.isoformat()}'", schema_mode="merge")


def replace(table: Table, rows: pa.Table, lake: Path | None = None) -> None:
    """Replace every row by `rows`, in one commit."""
    _write(table, rows, lake, mode="overwrite", schema_mode="overwrite")


def append(table: Table, rows: pa.Table, lake: Path | None = None) -> None:
    """Add `rows`, in one commit."""
    _write(table, rows, lake, mode="append")


def upsert(table: Table, rows: pa.Table, lake: Path | None = None) -> None:
    """Insert `rows`, replacing those with equal keys, in one commit."""
    delta = open_table(table, lake)
    if delta is None:
        append(table, rows, lake)
        return
    equal_keys = " AND ".join(f"old.{name} = new.{name}" for name in table.key)
    conformed = _conformed(table, rows)
    merge = delta.merge(conformed, predicate=equal_keys, source_alias="new", target_alias="old", merge_schema=True)
    with fault_injection.commit(table.name, Path(table_path(table, lake))), explain_conflict(table):
        merge.when_matched_update_all().when_not_matched_insert_all().execute()


@contextmanager
def writer_lock(writer: str, lake: Path | None = None) -> Iterator[None]:
    """Keep other writers of the same name off this lake until the block ends: a lock of this machine, on a file."""
    folder = lake or lake_root()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{writer}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def scan(table: Table, lake: Path | None = None) -> ds.Dataset:
    """The table as an Arrow dataset; an empty one while nothing was ever written to it.

    A column that is newer than the table is null until a row that has it is written.

    A table that `upsert` changed is held in memory: what delta-rs rewrites in a merge it marks as string views,
    on which Arrow has no comparison (pyarrow 25), so that a filter on such a file is an error.
    """
    delta = open_table(table, lake)
    if delta is None:
        return ds.dataset(arrow_schema(table).empty_table())
    rows = dataset(delta, arrow_schema(table))
    if table.partitioned_by:  # written by date, never merged
        return rows
    schemas = (fragment.physical_schema for fragment in rows.get_fragments())
    types = {field.type for schema in schemas for field in schema}
    return ds.dataset(rows.to_table()) if pa.string_view() in types else rows


def rewrite(
    table: Table,
    rows: pa.Table | pa.RecordBatchReader,
    parts: list[Any] | None = None,
    lake: Path | None = None,
) -> None:
    """Put `rows` in the place of the table's, or of those of some partitions, in one commit.

    For an erasure or maintenance, which hold the lake alone: whichever engine writes the table is not at work.
    """
    values = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts or [])
    options = {"predicate": f"{table.partitioned_by[0]} IN ({values})"} if values else {}
    write_deltalake(
        table_path(table, lake), rows, partition_by=list(table.partitioned_by) or None, mode="overwrite", **options
    )  # type: ignore[call-overload]


def remove_rows(table: Table, condition: ds.Expression, lake: Path | None = None) -> int:
    """Rewrite the partitions that have rows matching `condition` without those rows; return how many rows those were.

    Not Delta's DELETE: its predicate would be logged, and the files that it rewrites hold string views (see `scan`).
    """
    column = next(iter(table.partitioned_by), None)
    rows = read(table, condition, [column or table.key[0]], lake)
    if not rows.num_rows:
        return 0
    partitions = pc.unique(rows[column]).to_pylist() if column else []
    remaining = ~condition & pc.field(column).isin(partitions) if column else ~condition
    rewrite(table, scan(table, lake).scanner(filter=remaining).to_reader(), partitions, lake)
    return int(rows.num_rows)


def vacuum(delta: DeltaTable, hours: int, dry_run: bool = False) -> list[Path]:
    """Remove the files that no version of the last `hours` needs; return those that were there.

    The caller answers for hours below Delta's own bound of a week: it holds the lake alone, or leaves more.
    """
    vacuum_files = partial(delta.vacuum, retention_hours=hours, enforce_retention_duration=False, full=True)
    names = vacuum_files(dry_run=True)  # removed ones are listed again as long as the log knows them
    folder = Path(delta.table_uri.removeprefix("file://"))
    existing = [path for name in names if (path := folder / name).exists()]
    if not dry_run:
        vacuum_files(dry_run=False)
    return existing


def _write(table: Table, rows: pa.Table, lake: Path | None, **options: str) -> None:
    partitions = list(table.partitioned_by) or None
    path = table_path(table, lake)
    conformed = _conformed(table, rows)
    with fault_injection.commit(table.name, Path(path)), explain_conflict(table):
        write_deltalake(path, conformed, partition_by=partitions, **options)  # type: ignore[call-overload]


@contextmanager
def explain_conflict(table: Table) -> Iterator[None]:
    """Raise JobError where another writer replaced the same rows between our reading of the log and our commit."""
    try:
        yield
    except CommitFailedError as error:
        raise JobError(
            f"another writer changed {table.name} at the same moment: its rows stand whole, of this one's there are "
            f"none; run this again if they are wanted ({' '.join(str(error).split())})"
        ) from None


def _conformed(table: Table, rows: pa.Table) -> pa.Table:
    """`rows` with exactly the table's columns and types; JobError where they do not fit."""
    try:
        return rows.select(table.names).cast(arrow_schema(table))
    except (KeyError, pa.ArrowInvalid, ValueError) as error:
        raise JobError(f"rows do not fit table {table.name}: {error}") from None
