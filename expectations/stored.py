"""Tables as they stand in the lake, for a gate that runs on its own: delta-rs and Arrow, no JVM."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import Table
from recsys_jobs.lake import delta


def rows(table: Table, columns: list[str], day: date | None = None) -> pa.Table:
    """The named columns of the whole table, or of the partition of `day`."""
    condition = None
    if day is not None:
        condition = pc.field(table.partitioned_by[0]) == pa.scalar(day)
    return _open(table).to_table(columns=columns, filter=condition)


def batches(table: Table) -> Iterator[pa.RecordBatch]:
    """All rows in pieces: vectors of a large table need not fit in memory together."""
    return iter(_open(table).to_batches(columns=table.names))


def _open(table: Table) -> ds.Dataset:
    delta_table = delta.open_table(table)
    if delta_table is None:
        raise JobError(f"no table {delta.table_path(table)}: run the night's step that writes it first")
    return delta.dataset(delta_table)
