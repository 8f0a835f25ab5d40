"""Which sound lines become rows: one row a key, over files and nights. DuckDB on the staged lines and on the table.

Among rows of equal keys the smallest hash stands, then the smallest path, then the first line. Only keys, hashes and
line numbers are sorted: the text goes from the staged files to the table's files untouched.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from duckdb import ColumnExpression, FunctionExpression, StarExpression

from recsys_jobs.contracts.erased_users import ErasedUsers
from recsys_jobs.contracts.tables import ITEMS, REVIEWS, Table
from recsys_jobs.lake import delta, table_files

BATCH = 131_072  # rows of a row group

_SOUND = "SELECT * FROM staged SEMI JOIN accepted USING (file) WHERE reason IS NULL AND NOT is_blank"
HASHES = {REVIEWS.name: "review_hash", ITEMS.name: "item_hash"}
_ERASED = """
CREATE TEMP TABLE erased AS
SELECT file, seq FROM sound WHERE sha256($salt || user_id) IN (SELECT unnest($hashes))
"""
_NONE_ERASED = "CREATE TEMP TABLE erased (file INT, seq BIGINT)"
_LOSERS = """
CREATE TEMP TABLE candidates AS
SELECT file, seq, path, hash, key FROM sound ANTI JOIN erased USING (file, seq)
UNION ALL SELECT NULL, NULL, path, hash, key FROM stored SEMI JOIN sound USING (key);
CREATE TEMP TABLE losers AS
SELECT * FROM candidates SEMI JOIN (SELECT key FROM candidates GROUP BY key HAVING count(*) > 1) USING (key)
QUALIFY row_number() OVER (PARTITION BY key ORDER BY hash, path, file, seq) > 1;
DROP TABLE candidates
"""
_ENTERING = """
CREATE TEMP VIEW entering AS
SELECT * FROM sound ANTI JOIN losers USING (file, seq) ANTI JOIN erased USING (file, seq)
"""
_GOOD = "SELECT path, count(*) FROM entering GROUP BY path"
_LOST = "SELECT path, count(*) FROM losers WHERE file IS NULL GROUP BY path"
_TIMES = "SELECT min(reviewed_at), max(reviewed_at) FROM sound"
_TIME = pa.timestamp("us", tz="UTC")
_STAYING = """
SELECT * FROM affected ANTI JOIN arrived USING (path)
ANTI JOIN (SELECT path, key FROM losers WHERE file IS NULL) USING (path, key)
"""


@dataclass(frozen=True)
class Outcome:
    """By path: the new rows that enter the table, and the stored ones that give way to a row of their key."""

    good: Counter[str]
    lost: Counter[str]


class Merge:
    """One table's part of a night: choose the rows, write them as files, and commit these in place of what leaves.

    `arrived` are the paths of the accepted files; rows that the table holds from there, of an older version of a file
    or of half a night, do not count and leave.
    """

    def __init__(self, lines: duckdb.DuckDBPyConnection, table: Table, arrived: dict[int, str], lake: Path) -> None:
        self._lines, self._table, self._lake = lines, table, lake
        self._arrived = sorted(arrived.values())
        lines.register("accepted", pa.table({"file": pa.array(arrived, pa.int32())}))
        lines.register("arrived", pa.table({"path": pa.array(self._arrived, pa.string())}))
        self._with_key(lines.sql(_SOUND)).create_view("sound")

    def choose(self, erased: ErasedUsers) -> Outcome:
        """Find which rows stand. Reviews of erased people never do: they count as duplicates of their file."""
        self._create_keyed_view("stored", self._stored())
        if self._table is REVIEWS and erased.hashes:
            self._lines.execute(_ERASED, {"salt": erased.salt, "hashes": sorted(erased.hashes)})
        else:
            self._lines.execute(_NONE_ERASED)
        self._lines.execute(_LOSERS)
        self._lines.execute(_ENTERING)
        return Outcome(self._count(_GOOD), self._count(_LOST))

    def write_entering(self, folder: Path) -> None:
        """Write the new rows that stand."""
        table_files.write_files(self._table, self._lines.table("entering").to_arrow_reader(BATCH), folder)

    def commit(self, folder: Path, outcome: Outcome) -> None:
        """Put the files of `folder` into the table in place of what leaves it, in one commit."""
        touched = pc.field("path").isin([*self._arrived, *outcome.lost])
        affected = table_files.fragments_with(self._table, touched, self._lake)
        if affected:
            self._create_keyed_view("affected", table_files.dataset_of(self._table, affected))
            staying = self._lines.sql(_STAYING).to_arrow_reader(BATCH)
            table_files.write_files(self._table, staying, folder)
        table_files.replace_files(self._table, folder, [fragment.path for fragment in affected], self._lake)

    def _create_keyed_view(self, name: str, rows: ds.Dataset) -> None:
        self._lines.register(f"{name}_rows", rows)
        self._with_key(self._lines.table(f"{name}_rows")).create_view(name)

    def _with_key(self, rows: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
        """`rows` with `key`, the table's, as one value in which nulls are equal, and `hash`."""
        key = FunctionExpression("row", *map(ColumnExpression, self._table.key)).alias("key")
        return rows.select(StarExpression(), ColumnExpression(HASHES[self._table.name]).alias("hash"), key)

    def _stored(self) -> ds.Dataset:
        """The table's rows that may have the key of a new one: of other files, and of the new rows' time."""
        rows = delta.scan(self._table, self._lake).filter(~pc.field("path").isin(self._arrived))
        if self._table is not REVIEWS:
            return rows
        [(first, last)] = self._lines.execute(_TIMES).fetchall()
        time = pc.field("reviewed_at")
        return rows.filter((time >= pa.scalar(first, _TIME)) & (time <= pa.scalar(last, _TIME)))

    def _count(self, query: str) -> Counter[str]:
        return Counter(dict(self._lines.execute(query).fetchall()))
