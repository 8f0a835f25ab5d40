"""Whether two lakes hold the same: the date-keyed tables by `recsys diff`, the others row by row, and who serves."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from recsys_jobs.contracts.tables import TABLES, Table
from recsys_jobs.lake import delta
from recsys_jobs.operations.lake_diff import date_column, diff


def differences(ours: Path, theirs: Path) -> list[str]:
    """What differs, a line each; nothing where the two lakes are equal, provenance aside."""
    dated = [f"{one.table}: {'; '.join(one.first)}" for one in diff(ours, theirs) if one.differs]
    others = [table for table in TABLES.values() if date_column(table) is None]
    return dated + [line for table in others if (line := _difference(table, ours, theirs))]


def _difference(table: Table, ours: Path, theirs: Path) -> str:
    columns = [column.name for column in table.columns if not column.provenance]
    one, other = (delta.read(table, columns=columns, lake=folder) for folder in (ours, theirs))
    if _ordered(one, table).equals(_ordered(other, table)):
        return ""
    return f"{table.name}: {one.num_rows} rows, not the same as the {other.num_rows} of the undisturbed lake"


def _ordered(rows: pa.Table, table: Table) -> pa.Table:
    return rows.sort_by([(name, "ascending") for name in table.key]).combine_chunks()
