"""Whole Parquet files that enter and leave a table in one commit: rows that stand in files are not written again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from recsys_jobs.contracts import fault_injection
from recsys_jobs.contracts.tables import Table
from recsys_jobs.lake import delta

MAX_ROWS = 1_000_000  # of a file
_BOUND = 32  # characters of a text that the log keeps
_AFTER_ALL = "\U0010ffff"  # no text is later


def write_files(table: Table, batches: Iterable[pa.RecordBatch], folder: Path) -> None:
    """Write the rows as files of the table's columns into `folder`. No row, no file."""
    schema = delta.arrow_schema(table)
    folder.mkdir(parents=True, exist_ok=True)
    rows = 0
    writer: pq.ParquetWriter | None = None
    for batch in batches:
        if writer is None or rows // MAX_ROWS < (rows + batch.num_rows) // MAX_ROWS:
            writer = _next_writer(writer, folder, schema)
        writer.write_table(pa.Table.from_batches([batch]).select(table.names).cast(schema))
        rows += batch.num_rows
    if writer:
        writer.close()


def _next_writer(writer: pq.ParquetWriter | None, folder: Path, schema: pa.Schema) -> pq.ParquetWriter:
    if writer:
        writer.close()
    return pq.ParquetWriter(folder / f"part-{uuid.uuid4()}.parquet", schema, compression="zstd")


def fragments_with(table: Table, condition: ds.Expression, lake: Path | None = None) -> list[ds.Fragment]:
    """The files that hold a row matching `condition`: by their statistics first, then by their rows."""
    delta_table = delta.open_table(table, lake)
    if delta_table is None:
        return []
    fragments = delta.dataset(delta_table, delta.arrow_schema(table)).get_fragments(filter=condition)
    return [fragment for fragment in fragments if fragment.count_rows(filter=condition)]


def dataset_of(table: Table, fragments: list[ds.Fragment]) -> ds.Dataset:
    """The rows of some of the table's files; there is at least one."""
    return ds.FileSystemDataset(fragments, delta.arrow_schema(table), fragments[0].format, fragments[0].filesystem)


def count_rows(table: Table, lake: Path | None = None) -> int:
    """The rows of the table, as its log counts them; 0 while it does not exist."""
    delta_table = delta.open_table(table, lake)
    if delta_table is None:
        return 0
    return sum(action["num_records"] for action in delta.add_actions(delta_table))


def files(table: Table, days: Iterable[date] | None = None, lake: Path | None = None) -> list[str]:
    """The paths, as the log has them, of the table's files; of a partitioned table's those of some days."""
    delta_table = delta.open_table(table, lake)
    if delta_table is None:
        return []
    actions = delta.add_actions(delta_table)
    if days is not None:
        column, requested_days = f"partition.{table.partitioned_by[0]}", set(days)
        actions = [action for action in actions if action[column] in requested_days]
    return [action["path"] for action in actions]


def staged_rows(table: Table, folder: Path) -> ds.Dataset:
    """The rows of files that are not in the table yet, in subfolders `column=date` where it is partitioned."""
    schema = delta.arrow_schema(table)
    columns = pa.schema([schema.field(name) for name in table.partitioned_by])
    partitioning = ds.partitioning(columns, flavor="hive") if table.partitioned_by else None
    return ds.dataset(folder, schema, format="parquet", partitioning=partitioning)


def replace_dates(table: Table, folder: Path, days: Iterable[date], lake: Path | None = None) -> None:
    """Put the files of `folder`, in subfolders `column=date`, in the place of these dates' rows, in one commit."""
    with delta.writer_lock(table.name, lake):
        replace_files(table, folder, files(table, days, lake), lake)


def replace_files(table: Table, folder: Path, leaving: Iterable[str], lake: Path | None = None) -> None:
    """Move the files of `folder` into the table, and take the `leaving` ones out of it, in one commit.

    Nothing is committed where there is neither. JobError where another writer changed the table meanwhile.
    """
    delta_table = _create(table, lake)
    arriving = sorted(folder.rglob("*.parquet"))
    removals = [RemoveAction(path, True, _now()) for path in leaving]
    if not arriving and not removals:
        return
    with fault_injection.commit(table.name, Path(delta.table_path(table, lake))), delta.explain_conflict(table):
        additions = [_add(delta_table, table, path, folder) for path in arriving]
        schema, columns = delta.arrow_schema(table), list(table.partitioned_by)
        delta_table.create_write_transaction([*additions, *removals], "append", schema, columns)


def _create(table: Table, lake: Path | None) -> DeltaTable:
    """The table, made where there is none yet."""
    existing = delta.open_table(table, lake)
    return existing or DeltaTable.create(
        delta.table_path(table, lake),
        schema=delta.arrow_schema(table),
        mode="ignore",
        partition_by=list(table.partitioned_by),
        name=table.name,
    )


def _add(delta_table: DeltaTable, table: Table, path: Path, folder: Path) -> AddAction:
    place = path.relative_to(folder)
    stats = _statistics(path, _bounded_columns(table))
    size = path.stat().st_size
    _move(delta_table, path, place)
    partition = dict(part.split("=", 1) for part in place.parent.parts)
    return AddAction(place.as_posix(), size, partition, _now(), True, json.dumps(stats))


def _bounded_columns(table: Table) -> list[str]:
    """The columns that the log may bound: those with an order, but for the partition's."""
    ordered = [column.name for column in table.columns if not column.type.startswith(("boolean", "array"))]
    return [name for name in ordered if name not in table.partitioned_by]


def _move(delta_table: DeltaTable, path: Path, place: Path) -> None:
    if folder := delta.local_folder(delta_table):
        target = folder / place
        target.parent.mkdir(exist_ok=True)
        path.replace(target)
        return
    local, remote = fs.LocalFileSystem(), delta.filesystem(delta_table)
    fs.copy_files(str(path), place.as_posix(), source_filesystem=local, destination_filesystem=remote)
    path.unlink()


def _statistics(path: Path, columns: list[str]) -> dict[str, Any]:
    """What Delta's log says of a file: its rows, and the bounds of some columns, from the file's own footer."""
    metadata = pq.read_metadata(path)
    chunks = {name: list(_column_chunks(metadata, name)) for name in columns}
    bounded = {name: of_column for name, of_column in chunks.items() if all(c and c.has_min_max for c in of_column)}
    counted = {name: of_column for name, of_column in chunks.items() if all(c and c.has_null_count for c in of_column)}
    return {
        "numRecords": metadata.num_rows,
        "minValues": {name: _lower(min(c.min for c in of_column)) for name, of_column in bounded.items()},
        "maxValues": {name: _upper(max(c.max for c in of_column)) for name, of_column in bounded.items()},
        "nullCount": {name: sum(c.null_count for c in of_column) for name, of_column in counted.items()},
    }


def _column_chunks(metadata: pq.FileMetaData, name: str) -> Iterator[pq.Statistics]:
    """The column's statistics in each row group."""
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        yield next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == name).statistics


def _lower(value: Any) -> Any:
    return value[:_BOUND] if isinstance(value, str) else _as_json(value)


def _upper(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _BOUND else value[:_BOUND] + _AFTER_ALL
    return _as_json(value)


def _as_json(value: Any) -> Any:
    """A number, or the text of a time; milliseconds are what the log has, and all that a review has."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _now() -> int:
    return int(datetime.now().timestamp() * 1000)
