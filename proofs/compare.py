"""Compares two lakes: the date-keyed tables by `recsys diff`, the others row by row, and who serves."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from recsys_jobs.contracts.tables import TABLES, Table
from recsys_jobs.lake import delta
from recsys_jobs.operations.lake_diff import date_column, diff


def differences(lake: Path, undisturbed: Path) -> list[str]:
    """Return what differs, a line each; nothing where the two lakes are equal, provenance aside."""
    lines = []
    for table_diff in diff(lake, undisturbed):
        if table_diff.differs:
            lines.append(f"{table_diff.table}: {'; '.join(table_diff.first)}")
    for table in TABLES.values():
        if date_column(table) is None and (line := _difference(table, lake, undisturbed)):
            lines.append(line)
    return lines


def _difference(table: Table, lake: Path, undisturbed: Path) -> str:
    rows, expected = _sorted_rows(table, lake), _sorted_rows(table, undisturbed)
    if rows.equals(expected):
        return ""
    return f"{table.name}: {rows.num_rows} rows, not the same as the {expected.num_rows} of the undisturbed lake"


def _sorted_rows(table: Table, lake: Path) -> pa.Table:
    columns = [column.name for column in table.columns if not column.provenance]
    rows = delta.read(table, columns=columns, lake=lake)
    return rows.sort_by([(name, "ascending") for name in table.key]).combine_chunks()
