"""A person's rows in the lake's tables, and the file versions that still hold them.

Deletes and vacuums go through delta-rs whichever engine writes the table otherwise; the caller holds the lake
alone. No id is put into an expression: predicates are logged by Delta, and would keep what they remove.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from recsys_jobs import lake
from recsys_jobs.erasure.mention import mentions
from recsys_jobs.tables import EMBEDDINGS, INGEST_FILES, INTERACTIONS, ITEMS, QUARANTINE, REVIEWS, TABLES, Table

# reviews last: their rows say which files, texts and cuts a person is in, should a run be cut short
PERSONAL = [t for t in TABLES.values() if "user_id" in t.names and t is not REVIEWS] + [REVIEWS]
HELD = [*PERSONAL, QUARANTINE, EMBEDDINGS]  # tables whose older versions go, too


def erase_rows(user: str) -> dict[str, int]:
    """Remove or blank the person's rows; return how many by table."""
    texts = _own_texts(user)
    counts = {
        EMBEDDINGS.name: _delete(EMBEDDINGS, pa.table({"content_hash": texts})) if len(texts) else 0,
        QUARANTINE.name: _blank_quarantine(user),
    }
    _recount(user)
    for table in PERSONAL:
        counts[table.name] = _delete(table, pa.table({"user_id": [user]}))
    return counts


def drop_history(table: Table) -> int:
    """Remove every file that the table's newest version does not need, and the log before it; return how many."""
    delta = lake.open_table(table)
    if delta is None:
        return 0
    folder = Path(lake.table_path(table))
    gone = lake.vacuum(delta, hours=0)
    for path in gone:  # Hadoop's checksum of a file that is no more
        path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
    newest = DeltaTable(str(folder))
    newest.create_checkpoint()
    return len(gone) + _drop_log(folder / "_delta_log", newest.version())


def files_naming(user: str) -> list[Path]:
    """The data files, of any version, that hold the person's id; and those of Delta's log."""
    found = [path for table in PERSONAL for path in _data_files(table) if _holds(path, user)]
    found += [path for path in _data_files(QUARANTINE) if _mentioning(ds.dataset(path), user).num_rows]
    logs = [path for table in HELD for path in Path(lake.table_path(table)).glob("_delta_log/*") if path.is_file()]
    return found + [path for path in logs if mentions(path, user)]


def _own_texts(user: str) -> pa.Array:
    """Hashes of texts that stand in this person's reviews, and in nobody else's and no item."""
    mine, others = set(), set()
    for table in (REVIEWS, INTERACTIONS):
        rows = lake.read(table, columns=["user_id", "text_hash"])
        is_mine = pc.equal(rows["user_id"], user)
        mine |= set(pc.unique(rows["text_hash"].filter(is_mine).drop_null()).to_pylist())
        others |= set(pc.unique(rows["text_hash"].filter(pc.invert(is_mine)).drop_null()).to_pylist())
    others |= set(lake.read(ITEMS, columns=["text_hash"])["text_hash"].to_pylist())
    return pa.array(sorted(mine - others), pa.string())


def _delete(table: Table, keys: pa.Table) -> int:
    """Delete the rows that match `keys` on all of its columns."""
    delta = lake.open_table(table)
    if delta is None:
        return 0
    same = " AND ".join(f"old.{name} = new.{name}" for name in keys.column_names)
    merge = delta.merge(keys, predicate=same, source_alias="new", target_alias="old")
    return int(merge.when_matched_delete().execute()["num_target_rows_deleted"])


def _blank_quarantine(user: str) -> int:
    """Take the text from rejected lines that name the person; the rows stay, so that every line is accounted for."""
    delta = lake.open_table(QUARANTINE)
    if delta is None:
        return 0
    keys = _mentioning(delta.to_pyarrow_dataset(), user).select(list(QUARANTINE.key))
    if not keys.num_rows:
        return 0
    same = " AND ".join(f"old.{name} = new.{name}" for name in keys.column_names)
    merge = delta.merge(keys, predicate=same, source_alias="new", target_alias="old")
    merge.when_matched_update({"raw": "NULL", "detail": "NULL"}).execute()
    return int(keys.num_rows)


def _mentioning(rows: ds.Dataset, user: str) -> pa.Table:
    near = pc.match_substring(pc.field("raw"), user) | pc.match_substring(pc.field("detail"), user)
    table = rows.to_table(filter=near, columns=[*QUARANTINE.key, "raw", "detail"])
    exact = [any(mentions(text, user) for text in pair if text) for pair in _pairs(table)]
    return table.filter(pa.array(exact, pa.bool_()))


def _pairs(table: pa.Table) -> list[tuple[str | None, str | None]]:
    return list(zip(table["raw"].to_pylist(), table["detail"].to_pylist(), strict=True))


def _recount(user: str) -> None:
    """Their good rows count as duplicates in `ingest_files` from now on, as they will when the file is read again."""
    rows = lake.read(REVIEWS, pc.field("user_id") == user, ["path"])
    delta = lake.open_table(INGEST_FILES)
    if delta is None or not rows.num_rows:
        return
    counted = Counter(rows["path"].to_pylist())
    source = pa.table({"path": list(counted), "rows": pa.array(counted.values(), pa.int64())})
    same = "old.path = new.path AND old.state = 'accepted'"
    moved = {"rows_good": "old.rows_good - new.rows", "rows_duplicate": "old.rows_duplicate + new.rows"}
    delta.merge(source, predicate=same, source_alias="new", target_alias="old").when_matched_update(moved).execute()


def _drop_log(log: Path, version: int) -> int:
    """Remove commits, checkpoints and checksums before `version`, and the checksum of all files at it."""
    gone = 0
    for path in log.iterdir():
        number = path.name.lstrip(".").split(".")[0]
        if number.isdigit() and (int(number) < version or path.name.endswith(".crc")):
            path.unlink()
            gone += 1
    return gone


def _data_files(table: Table) -> list[Path]:
    return sorted(Path(lake.table_path(table)).glob("**/*.parquet")) if lake.version(table) is not None else []


def _holds(path: Path, user: str) -> bool:
    if "_delta_log" in path.parts:
        return False
    return bool(ds.dataset(path).count_rows(filter=pc.field("user_id") == user))
