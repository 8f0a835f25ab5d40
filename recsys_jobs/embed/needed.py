"""Which contents a night needs as vectors, and which of them have none yet.

DuckDB works over the Delta tables as Arrow datasets, spills to disk beyond its memory limit, and hands the
contents out in chunks: memory does not grow with the catalogue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings, lake_root, var_dir
from recsys_jobs.contracts.tables import CONTENTS, CUTS, EMBEDDINGS, INTERACTIONS, ITEM_IMAGES, ITEMS, REVIEWS
from recsys_jobs.lake import delta
from recsys_jobs.lake.sql import quiet_connection, spilling_connection

MEMORY = "1GB"  # DuckDB's limit, beyond which it spills

# One more than what stands for a user or an item, because training hides the positive's own review.
_NEEDED_REVIEWS = """
CREATE TEMP TABLE needed_reviews AS
WITH item_texts AS (
    SELECT as_of, item_id, reason FROM contents WHERE as_of IN ($exam_cut, $run_date) AND modality = 'text'
), placed AS (
    SELECT as_of, user_id, item_id, text_hash, reason, row_number() OVER (
        PARTITION BY as_of, user_id ORDER BY interacted_at DESC, item_id DESC, review_hash DESC
    ) AS place_of_user, row_number() OVER (
        PARTITION BY as_of, item_id ORDER BY interacted_at DESC, review_hash DESC
    ) AS place_of_item
    FROM interactions LEFT JOIN item_texts USING (as_of, item_id) WHERE as_of IN ($exam_cut, $run_date)
)
SELECT as_of, user_id, item_id, text_hash FROM placed WHERE text_hash IS NOT NULL
AND (place_of_user <= $of_user + 1 OR (reason IS NOT NULL AND place_of_item <= $of_item + 1))
"""

_MASK = """
SELECT needed_reviews.item_id IS NOT NULL AS needed
FROM interactions LEFT JOIN needed_reviews USING (as_of, user_id, item_id) ORDER BY position
"""

_NEEDED_TEXTS = """
CREATE TEMP TABLE needed AS
SELECT content_hash FROM contents
WHERE as_of IN ($exam_cut, $run_date) AND modality = 'text' AND content_hash IS NOT NULL
UNION SELECT text_hash FROM needed_reviews
"""

_NEEDED_IMAGES = """
CREATE TEMP TABLE needed AS
SELECT DISTINCT content_hash FROM contents
WHERE as_of IN ($exam_cut, $run_date) AND modality = 'image' AND content_hash IS NOT NULL
"""

_MISSING = """
CREATE TEMP TABLE missing AS
SELECT content_hash FROM needed
ANTI JOIN (SELECT content_hash FROM embeddings WHERE encoder = $encoder) USING (content_hash)
"""

# min(): two rows with one hash have one text, and if ever they had not, the choice would be the same each night
_TEXTS = """
CREATE TEMP TABLE found AS
SELECT content_hash, min(raw) AS raw FROM (
    SELECT text_hash AS content_hash, concat(coalesce(title, ''), chr(10), coalesce(description, '')) AS raw FROM items
    UNION ALL
    SELECT text_hash, concat(coalesce(title, ''), chr(10), coalesce(text, '')) FROM reviews
) SEMI JOIN missing USING (content_hash) GROUP BY content_hash
"""

_IMAGES = """
CREATE TEMP TABLE found AS
SELECT content_hash, min(item_id) AS item_id FROM contents SEMI JOIN missing USING (content_hash)
WHERE as_of IN ($exam_cut, $run_date) AND modality = 'image' GROUP BY content_hash
"""


@contextmanager
def open_tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that sees the tables of the lake as they are now."""
    spill = var_dir() / "tmp"
    spill.mkdir(parents=True, exist_ok=True)
    # a folder of its own: two DuckDBs would write over each other's spill files
    with TemporaryDirectory(dir=spill) as spill_folder, spilling_connection(MEMORY, Path(spill_folder)) as tables:
        for table in (CONTENTS, CUTS, EMBEDDINGS, INTERACTIONS, ITEM_IMAGES, ITEMS, REVIEWS):
            delta_table = delta.open_table(table)
            empty = delta.arrow_schema(table).empty_table()
            tables.register(table.name, empty if delta_table is None else delta.dataset(delta_table))
        yield tables


def needed_reviews(events: pa.Table, contents: pa.Table, settings: Settings) -> pa.ChunkedArray:
    """Which events of one cut have a review that is needed as a vector: a mask over the rows of `events`.

    A user's last `reviews_per_user` + 1 events, and of an item whose text has a reason to be poor or absent the last
    `reviews_per_item` + 1, in the total order (interacted_at, item_id, review_hash), as far as they have text.
    `events` and `contents` are rows of `interactions` and `contents` at the cut. The night embeds by this same rule.
    """
    cuts = pc.unique(events["as_of"]).to_pylist()
    if len(cuts) != 1:
        raise ValueError(f"events must be those of one cut, not of {cuts}")
    with quiet_connection() as tables:
        tables.register("interactions", events.append_column("position", pa.array(range(len(events)), pa.int64())))
        tables.register("contents", contents)
        _mark_reviews(tables, cuts[0], cuts[0], settings)
        return tables.sql(_MASK).to_arrow_table()["needed"]


def _mark_reviews(tables: duckdb.DuckDBPyConnection, exam_cut: date, run_date: date, settings: Settings) -> None:
    review_limits = {"of_user": settings.reviews_per_user, "of_item": settings.reviews_per_item}
    tables.execute(_NEEDED_REVIEWS, {"exam_cut": exam_cut, "run_date": run_date, **review_limits})


def exam_cut(tables: duckdb.DuckDBPyConnection, run_date: date) -> date:
    """H, the earlier of the night's two cuts. JobError where the night has no snapshots."""
    row = tables.execute("SELECT exam_cut FROM cuts WHERE run_date = $day", {"day": run_date}).fetchone()
    if row is None:
        raise JobError(f"{lake_root()} has no snapshots of {run_date}: run the snapshot step for this date first")
    return row[0]


def count_needed(tables: duckdb.DuckDBPyConnection, run_date: date, modality: str, settings: Settings) -> int:
    """How many contents the night needs at its two cuts."""
    cuts = {"exam_cut": exam_cut(tables, run_date), "run_date": run_date}
    if modality == "text":
        _mark_reviews(tables, cuts["exam_cut"], run_date, settings)
        tables.execute(_NEEDED_TEXTS, cuts)
    else:
        tables.execute(_NEEDED_IMAGES, cuts)
    return _count(tables, "SELECT count(*) FROM needed")


def count_missing(tables: duckdb.DuckDBPyConnection, encoder: str) -> int:
    """How many of the contents that `count_needed` found have no vector of `encoder`."""
    tables.execute(_MISSING, {"encoder": encoder})
    return _count(tables, "SELECT count(*) FROM missing")


def missing_texts(tables: duckdb.DuckDBPyConnection, chunk: int) -> Iterator[tuple[list[str], list[str]]]:
    """Hashes and raw texts of what `count_missing` found, by hash, `chunk` at a time.

    JobError, at once, where a text is in neither items nor reviews.
    """
    tables.execute(_TEXTS)
    absent = tables.execute("SELECT min(content_hash), count(*) FROM missing ANTI JOIN found USING (content_hash)")
    if (row := absent.fetchone()) and row[1]:
        raise JobError(
            f"{row[1]:,} texts of the snapshots are in neither items nor reviews of {lake_root()}, {row[0]} among "
            "them: the snapshots are older than these tables; run the snapshot step again"
        )
    query = "SELECT content_hash, raw FROM found ORDER BY content_hash"
    return (([row[0] for row in rows], [row[1] for row in rows]) for rows in _chunks(tables, query, chunk))


def missing_images(
    tables: duckdb.DuckDBPyConnection, run_date: date, chunk: int
) -> Iterator[tuple[list[str], list[bytes]]]:
    """Hashes and stored bytes of what `count_missing` found, by hash, `chunk` at a time.

    JobError where a file of the image store is absent or altered.
    """
    tables.execute(_IMAGES, {"exam_cut": exam_cut(tables, run_date), "run_date": run_date})
    for rows in _chunks(tables, "SELECT content_hash, item_id FROM found ORDER BY content_hash", chunk):
        yield [row[0] for row in rows], [stored_image(*row) for row in rows]


def stored_image(content_hash: str, item_id: str) -> bytes:
    """The bytes of one stored image, checked against their hash."""
    path: Path = lake_root() / "images" / content_hash[:2] / f"{content_hash}.jpg"
    try:
        blob = path.read_bytes()
    except FileNotFoundError:
        raise JobError(f"image of item {item_id}: {path} is gone; run the image step again") from None
    if hashlib.sha256(blob).hexdigest() != content_hash:
        raise JobError(f"image of item {item_id}: {path} was altered; delete it and run the image step again")
    return blob


def _chunks(tables: duckdb.DuckDBPyConnection, query: str, size: int) -> Iterator[list[tuple[str, str]]]:
    cursor = tables.execute(query)
    while rows := cursor.fetchmany(size):
        yield rows


def _count(tables: duckdb.DuckDBPyConnection, query: str) -> int:
    row = tables.execute(query).fetchone()
    return int(row[0]) if row else 0
