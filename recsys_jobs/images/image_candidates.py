"""The items that lack an image at a date, the sources each may come from, and earlier attempts at them.

DuckDB reads the Delta tables through Arrow and spills to disk, so memory does not grow with the lake.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import ITEM_IMAGES, ITEMS, REVIEWS, URLS_PER_ITEM
from recsys_jobs.images import local
from recsys_jobs.images.outcome import Outcome
from recsys_jobs.lake import delta

log = logging.getLogger(__name__)
FILES_SCHEMA = pa.schema([("item_id", pa.string()), ("source", pa.string())])
CONFIG: dict[str, Any] = {
    "memory_limit": "1GB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}

# An item is eligible with an event before the end of the date, or a version that had landed by then.
ELIGIBLE = """
create temp table eligible as
select item_id from reviews where reviewed_at < $end
union
select item_id from items where landed_on is null or landed_on <= $day
"""

# Each version that counts, its URLs in order, best first; version 1 is the one in force, 0 stands for files.
# Older versions count too, because the exam cut lies before the date and may have one of them in force.
SOURCES = f"""
create temp table sources as
with ranked as (
    select item_id, image_urls, row_number() over (
        partition by item_id order by landed_on desc nulls last, item_hash, dataset
    ) as version
    from items where landed_on is null or landed_on <= $day
), versions as (
    select item_id, image_urls, min(version) as version from ranked group by item_id, image_urls
), urls as (
    select item_id, version, unnest(image_urls) as source, generate_subscripts(image_urls, 1) as place from versions
)
select item_id, 0 as version, 0 as place, source from files semi join eligible using (item_id)
union all
select item_id, version, min(place) as place, source from urls
where source is not null and source <> ''
group by item_id, version, source
qualify row_number() over (partition by item_id, version order by min(place)) <= {URLS_PER_ITEM}
"""  # noqa: S608 - a constant of this module

# `own`: the item's row. `others`: the outcome of another item with the same URL, unless no server answered.
CANDIDATES = """
with known as (
    select item_id, source, {state: state, content_hash: content_hash, width: width, height: height,
        detail: detail} as outcome, checked_on
    from item_images
), others as (
    select source, arg_min(outcome, item_id) as outcome, arg_min(checked_on, item_id) as checked_on
    from known where outcome.state <> 'unreachable' group by source
)
select s.item_id, s.version, s.source, s.version = 0 as is_file, naming.items > 1 as is_shared,
    own.outcome, own.checked_on, others.outcome, others.checked_on
from sources s
join (select source, count(distinct item_id) as items from sources group by source) naming using (source)
left join known own on own.item_id = s.item_id and own.source = s.source
left join others on others.source = s.source and s.version > 0
order by s.item_id, s.version, s.place, s.source
"""


@dataclass(frozen=True)
class PastAttempt:
    """The outcome of an earlier attempt at a source, and the run date of that attempt."""

    outcome: Outcome
    checked_on: date


@dataclass(frozen=True)
class Source:
    """One place where an item's image may come from: a file of the landing zone, or a URL."""

    source: str
    is_file: bool
    is_shared: bool  # other items of this run name it too
    own: PastAttempt | None
    other: PastAttempt | None  # made for another item


@dataclass(frozen=True)
class Item:
    """One item: its files, if any, then the URLs of each version; each chain in the order to try."""

    item_id: str
    chains: tuple[tuple[Source, ...], ...]


@dataclass(frozen=True)
class Candidates:
    """The items of a date: `eligible` and `with_sources` are counts, `items` a stream in order of id."""

    eligible: int
    with_sources: int
    items: Iterator[Item]


@contextlib.contextmanager
def open_candidates(day: date, landing: Path, lake: Path) -> Iterator[Candidates]:
    """Yield, once, the date's candidates (a context: the query's spill files live as long as it).

    Raises JobError where the lake holds neither reviews nor items.
    """
    if delta.open_table(REVIEWS, lake) is None and delta.open_table(ITEMS, lake) is None:
        raise JobError(f"neither reviews nor items in {lake}: run the ingest step first")
    end = datetime.combine(day + timedelta(days=1), time(), UTC)
    with tempfile.TemporaryDirectory() as spill, duckdb.connect(config={**CONFIG, "temp_directory": spill}) as db:
        for table in (REVIEWS, ITEMS, ITEM_IMAGES):
            db.register(table.name, delta.scan(table, lake))
        files_seen: Counter[str] = Counter()
        db.register("files", pa.RecordBatchReader.from_batches(FILES_SCHEMA, _file_batches(landing, files_seen)))
        db.execute(ELIGIBLE, {"end": end, "day": day})
        db.execute(SOURCES, {"day": day})
        if files_seen and not _count(db, "select count(*) from sources where version = 0"):
            log.warning("none of the %d image files in %s is called by the id of an item", files_seen.total(), landing)
        yield Candidates(
            _count(db, "select count(*) from eligible"),
            _count(db, "select count(distinct item_id) from sources"),
            _items(db.execute(CANDIDATES)),
        )


def _file_batches(landing: Path, files_seen: Counter[str]) -> Iterator[pa.RecordBatch]:
    """Yield the image files; count them in `files_seen` as they come."""
    files = local.files(landing)
    while pairs := list(itertools.islice(files, 10_000)):
        files_seen["files"] += len(pairs)
        rows = [{"item_id": item_id, "source": source} for item_id, source in pairs]
        yield pa.RecordBatch.from_pylist(rows, FILES_SCHEMA)


def _count(db: duckdb.DuckDBPyConnection, query: str) -> int:
    row = db.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _items(rows: duckdb.DuckDBPyConnection) -> Iterator[Item]:
    for item_id, group in itertools.groupby(_stream(rows), key=lambda row: row[0]):
        versions = itertools.groupby(group, key=lambda row: row[1])
        chains = tuple(tuple(_source(*row[2:]) for row in chain) for _, chain in versions)
        yield Item(item_id, chains)


def _stream(rows: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while block := rows.fetchmany(2048):
        yield from block


def _source(source: str, is_file: bool, is_shared: bool, own: Any, own_on: date, other: Any, other_on: date) -> Source:
    return Source(
        source,
        is_file,
        is_shared,
        PastAttempt(Outcome(**own), own_on) if own else None,
        PastAttempt(Outcome(**other), other_on) if other else None,
    )
