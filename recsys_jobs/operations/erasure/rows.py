"""A person's rows in the lake's tables, and the file versions that still hold them.

All of it goes through delta-rs whichever engine writes the table otherwise; the caller holds the lake alone.
No id is put into Delta's own predicates: those are logged, and would keep what they remove.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys_jobs.contracts.tables import (
    EMBEDDINGS,
    INGEST_FILES,
    INTERACTIONS,
    ITEMS,
    QUARANTINE,
    REVIEWS,
    TABLES,
    Table,
)
from recsys_jobs.lake import delta
from recsys_jobs.lake.delta import DeltaTable
from recsys_jobs.operations.erasure.mention import mentions

# reviews last: their rows say which files, texts and cuts a person is in, should a run be cut short
PERSONAL = [t for t in TABLES.values() if "user_id" in t.names and t is not REVIEWS] + [REVIEWS]
WITH_HISTORY = [*PERSONAL, QUARANTINE, EMBEDDINGS]  # tables whose older versions go, too


def erase_rows(user: str) -> dict[str, int]:
    """Remove or blank the person's rows; return how many by table."""
    texts = _own_texts(user)
    counts = {EMBEDDINGS.name: delta.remove_rows(EMBEDDINGS, pc.field("content_hash").isin(texts))}
    counts[QUARANTINE.name] = _blank_quarantine(user)
    _recount(user)
    for table in PERSONAL:
        counts[table.name] = delta.remove_rows(table, pc.field("user_id") == user)
    return counts


def drop_old_versions(table: Table) -> int:
    """Remove every file that the table's newest version does not need, and the log before it; return how many."""
    delta_table = delta.open_table(table)
    if delta_table is None:
        return 0
    folder = Path(delta.table_path(table))
    removed = delta.vacuum(delta_table, hours=0)
    for path in removed:  # Hadoop's checksum of a file that is no more
        path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
    newest = DeltaTable(str(folder))
    newest.create_checkpoint()
    return len(removed) + _drop_log(folder / "_delta_log", newest.version())


def files_naming(user: str) -> list[Path]:
    """Return the data files, of any version, and the files of Delta's log that hold the person's id."""
    files = [path for table in PERSONAL for path in _data_files(table) if _has_user(path, user)]
    files += [path for path in _data_files(QUARANTINE) if _mentions_in(path, user)]
    for table in WITH_HISTORY:
        logs = Path(delta.table_path(table)).glob("_delta_log/*")
        files += [path for path in logs if path.is_file() and mentions(path, user)]
    return files


def _own_texts(user: str) -> pa.Array:
    """Return hashes of texts that stand in this person's reviews, and in nobody else's and no item."""
    own: set[str] = set()
    others: set[str] = set()
    for table in (REVIEWS, INTERACTIONS):
        rows = delta.read(table, columns=["user_id", "text_hash"])
        is_own = pc.equal(rows["user_id"], user)
        own |= _distinct(rows["text_hash"].filter(is_own))
        others |= _distinct(rows["text_hash"].filter(pc.invert(is_own)))
    others |= set(delta.read(ITEMS, columns=["text_hash"])["text_hash"].to_pylist())
    return pa.array(sorted(own - others), pa.string())


def _distinct(values: pa.ChunkedArray) -> set[str]:
    return set(pc.unique(values.drop_null()).to_pylist())


def _blank_quarantine(user: str) -> int:
    """Take the text from rejected lines that name the person; the rows stay, so that every line is accounted for."""
    rows = delta.read(QUARANTINE)
    named = [any(mentions(text, user) for text in pair if text) for pair in _texts(rows)]
    count = sum(named)
    if count:
        for name in ("raw", "detail"):
            blanked = pc.if_else(pa.array(named, pa.bool_()), pa.scalar(None, pa.string()), rows[name])
            rows = rows.set_column(rows.column_names.index(name), name, blanked)
        delta.rewrite(QUARANTINE, rows)
    return count


def _texts(rows: pa.Table | pa.RecordBatch) -> Iterator[tuple[str | None, str | None]]:
    return zip(rows["raw"].to_pylist(), rows["detail"].to_pylist(), strict=True)


def _recount(user: str) -> None:
    """Their good rows count as duplicates in `ingest_files` from now on, as they will when the file is read again."""
    reviews = delta.read(REVIEWS, pc.field("user_id") == user, ["path"])
    erased = Counter(reviews["path"].to_pylist())
    rows = delta.read(INGEST_FILES).to_pylist()
    for row in rows:
        count = erased[row["path"]] if row["state"] == "accepted" else 0
        row["rows_good"] -= count
        row["rows_duplicate"] += count
    if erased and rows:
        delta.rewrite(INGEST_FILES, pa.Table.from_pylist(rows, delta.scan(INGEST_FILES).schema))


def _drop_log(log: Path, version: int) -> int:
    """Remove commits, checkpoints and checksums before `version`, and the checksum of all files at it."""
    removed = 0
    for path in log.iterdir():
        number = path.name.lstrip(".").split(".")[0]
        if number.isdigit() and (int(number) < version or path.name.endswith(".crc")):
            path.unlink()
            removed += 1
    return removed


def _data_files(table: Table) -> list[Path]:
    files = Path(delta.table_path(table)).glob("**/*.parquet")
    return sorted(path for path in files if "_delta_log" not in path.parts)


def _has_user(path: Path, user: str) -> bool:
    batches = pq.ParquetFile(path).iter_batches(columns=["user_id"])
    columns = (batch["user_id"].cast(pa.string()) for batch in batches)
    return any(pc.any(pc.equal(column, user)).as_py() for column in columns)


def _mentions_in(path: Path, user: str) -> bool:
    batches = pq.ParquetFile(path).iter_batches(columns=["raw", "detail"])
    texts = (text for batch in batches for pair in _texts(batch) for text in pair if text)
    return any(mentions(text, user) for text in texts)
