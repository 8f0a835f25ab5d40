"""What the staged lines of one kind of file are: how many are sound, blank or rejected, and why. DuckDB, no Spark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from recsys_jobs.contracts.erased_users import ErasedUsers
from recsys_jobs.contracts.tables import QUARANTINE, Table
from recsys_jobs.lake.delta import arrow_schema
from recsys_jobs.lake.sql import spilling_connection
from spark.dump_shape import describe_line
from spark.erased_users import redacted
from spark.quarantine_reasons import INVALID_JSON, MAX_RAW

MEMORY = "2GB"  # DuckDB's limit, beyond which it spills

# A line's number counts from its block's first: blocks of a file are read apart, each from start to end.
_BLOCKS = """
CREATE TEMP TABLE blocks AS
SELECT *, sum(lines) OVER (PARTITION BY file ORDER BY block) - lines AS before FROM (
    SELECT file, block, min(seq) AS first, count(*) AS lines, count_if(is_blank) AS blank
    FROM staged GROUP BY file, block
);
CREATE TEMP TABLE rejected AS
SELECT file, path, dataset, (seq - first + before + 1)::BIGINT AS position, reason, detail, raw
FROM staged JOIN blocks USING (file, block) WHERE reason IS NOT NULL
"""
_LINES = "SELECT file, sum(lines)::BIGINT, sum(blank)::BIGINT FROM blocks GROUP BY file"
_REASONS = "SELECT file, reason, count(*) FROM rejected GROUP BY file, reason"
_FIRST_REJECTED = """
SELECT file, position, detail, raw FROM rejected QUALIFY row_number() OVER (PARTITION BY file ORDER BY position) = 1
"""
_QUARANTINE = """
SELECT path, fingerprint, dataset, position, reason, detail, raw
FROM rejected JOIN fingerprints USING (file) ORDER BY path, position
"""
_PLACE = [
    *(pa.field(name, type_) for name, type_ in (("file", pa.int32()), ("block", pa.int64()), ("seq", pa.int64()))),
    pa.field("is_blank", pa.bool_()),
    *(pa.field(name, pa.string()) for name in ("reason", "detail", "raw")),
]


@dataclass
class Tally:
    """One file's lines: all of them, the blank ones, and the rejected ones by reason."""

    lines: int = 0
    blank: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    first_rejected: int = 0  # line number
    first_problem: str = ""  # what is wrong there; empty where no description fits

    @property
    def read(self) -> int:
        """Lines that are not blank."""
        return self.lines - self.blank

    @property
    def quarantined(self) -> int:
        return self.rejected.total()


@contextmanager
def open_staged(table: Table, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the lines of `folder` as `staged`, the rejected ones with their place as `rejected`.

    Where nothing was staged there are none.
    """
    with spilling_connection(MEMORY, folder / "_spill") as lines:
        lines.execute("SET TimeZone = 'UTC'")
        if folder.is_dir():
            lines.read_parquet(f"{folder}/*.parquet").create_view("staged")
        else:
            lines.register("staged", pa.schema([*_PLACE, *arrow_schema(table)]).empty_table())
        lines.execute(_BLOCKS)
        yield lines


def tallies(lines: duckdb.DuckDBPyConnection) -> dict[int, Tally]:
    """Each staged file's tally, by its number; a file without a line has none."""
    by_file = {file: Tally(count, blank) for file, count, blank in lines.execute(_LINES).fetchall()}
    for file, reason, rows in lines.execute(_REASONS).fetchall():
        by_file[file].rejected[reason] = rows
    for file, position, detail, raw in lines.execute(_FIRST_REJECTED).fetchall():
        by_file[file].first_rejected = position
        by_file[file].first_problem = detail or describe_line(raw) or ""
    return by_file


def quarantine(lines: duckdb.DuckDBPyConnection, fingerprints: Mapping[int, str], erased: ErasedUsers) -> pa.Table:
    """The rejected lines of these files as rows of the table, broken ones with what breaks them."""
    columns = {
        "file": pa.array(fingerprints.keys(), pa.int32()),
        "fingerprint": pa.array(fingerprints.values(), pa.string()),
    }
    lines.register("fingerprints", pa.table(columns))
    rows = lines.sql(_QUARANTINE).to_arrow_table().to_pylist()
    return pa.Table.from_pylist([redacted(_described(row), erased) for row in rows], arrow_schema(QUARANTINE))


def _described(row: dict[str, Any]) -> dict[str, Any]:
    is_whole = row["reason"] == INVALID_JSON and len(row["raw"]) < MAX_RAW
    return row | {"detail": row["detail"] or (describe_line(row["raw"]) if is_whole else None)}
