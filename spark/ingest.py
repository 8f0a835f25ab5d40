"""Ingest: what landed since the last night enters `reviews` and `items`; `python -m spark.ingest --run-date D`.

A file enters whole or not at all. Spark parses the files, once; which rows stand is found, and gated, before anything
is committed. The tables are committed one after the other and `ingest_files` last: a night that dies in between is
repeated, and leaves the same rows. A night without a new file starts no Spark.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from expectations.gate import validate_rows
from recsys_jobs.contracts.erased_users import load_erased_users
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.contracts.settings import Settings, lake_root, landing_zone, load_settings, parse_date
from recsys_jobs.contracts.tables import ITEMS, QUARANTINE, REVIEWS, Table
from recsys_jobs.lake import delta, table_files
from spark import file_registry, staged_lines, staging
from spark.arrivals import Arrival, look
from spark.dump_shape import describe_shape
from spark.file_registry import ACCEPTED, REFUSED, Record, Registry
from spark.landing import KINDS, discover
from spark.lines import Source, readable_copy
from spark.merge import Merge, Outcome
from spark.report import log_accounting
from spark.session import get_spark
from spark.staged_lines import Tally

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

TABLE_OF = {"reviews": REVIEWS, "items": ITEMS}
Gate = Callable[[Table, ds.Dataset, date], None]  # raises JobError


@dataclass(frozen=True)
class Night:
    """Where and when: what every step of the night needs."""

    start_spark: Callable[[], SparkSession]
    landing: Path
    lake: Path
    run_date: date
    now: datetime
    settings: Settings
    gate: Gate


def main() -> None:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m spark.ingest", description=__doc__)
    parser.add_argument("--run-date", required=True, help="the night, YYYY-MM-DD; whatever has landed is read")
    parser.add_argument("--allow-refused", action="store_true", help="end well although files were refused")
    args = parser.parse_args()
    run_date, settings = parse_date(args.run_date), load_settings()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    ingest(partial(get_spark, "ingest"), run_date, settings, allow_refused=args.allow_refused)


def ingest(
    start_spark: Callable[[], SparkSession],
    run_date: date,
    settings: Settings,
    *,
    landing: Path | None = None,
    lake: Path | None = None,
    allow_refused: bool = False,
    gate: Gate = validate_rows,
) -> list[Record]:
    """Bring the lake up to what has landed; return the records of the files that were read or refused.

    Raises JobError naming the files that were refused, once the good ones are in, unless `allow_refused`.
    """
    now = datetime.now(UTC)
    night = Night(start_spark, landing or landing_zone(), lake or lake_root(), run_date, now, settings, gate)
    before = file_registry.load(night.lake)
    landed = discover(night.landing)
    zone = look(landed, before)
    new_arrivals = zone.arrivals
    after = file_registry.seen(file_registry.restored(before, set(zone.stored)), zone.stored)
    if new_arrivals:
        size = sum(arrival.inspection.size for arrival in new_arrivals)
        log.info("%d files to read, %.1f MB", len(new_arrivals), size / 1e6)
        after = _ingest_arrivals(night, new_arrivals, after)
    else:
        log.info("nothing new in %s", night.landing)
    if after != before:
        file_registry.save(after, night.lake)
    records = [after[arrival.landed.path, arrival.inspection.fingerprint] for arrival in new_arrivals]
    if records:
        log_accounting(records)
    _report_refused([record for record in records if record.state == REFUSED], allow_refused)
    return records


def _ingest_arrivals(night: Night, new_arrivals: list[Arrival], before: Registry) -> Registry:
    """Stage the files, accept or refuse each, gate and commit; return the new registry."""
    with staging.workplace(night.lake, "ingest") as folder, ExitStack() as opened:
        for kind in KINDS:
            _stage(night, kind, new_arrivals, folder)
        lines = {kind: opened.enter_context(staged_lines.open_staged(TABLE_OF[kind], folder / kind)) for kind in KINDS}
        tallies = staged_lines.tallies(lines["reviews"]) | staged_lines.tallies(lines["items"])
        records = {file: _record(night, file, arrival, tallies) for file, arrival in enumerate(new_arrivals)}
        accepted = {file: record for file, record in records.items() if record.state == ACCEPTED}
        if accepted:
            _commit_quarantine(night, lines, accepted)
        after = reduce(file_registry.add, records.values(), before)
        for kind in KINDS:
            of_kind = {file: record.path for file, record in accepted.items() if record.kind == kind}
            if of_kind:
                after = _commit_rows(night, TABLE_OF[kind], lines[kind], of_kind, after, folder / "rows" / kind)
    return after


def _stage(night: Night, kind: str, new_arrivals: list[Arrival], folder: Path) -> None:
    sources = [
        _source(night, file, arrival, folder)
        for file, arrival in enumerate(new_arrivals)
        if arrival.landed.kind == kind and arrival.format
    ]
    if sources:
        staging.stage(night.start_spark(), kind, sources, folder / kind)


def _source(night: Night, file: int, arrival: Arrival, folder: Path) -> Source:
    """A review is from the future if it is later than the day after its file landed, or than tomorrow."""
    landed, inspection = arrival.landed, arrival.inspection
    latest = night.now + timedelta(days=1)
    if landed.landed_on:
        midnight = datetime.combine(landed.landed_on, time(), UTC)
        latest = min(latest, midnight + timedelta(days=2))
    readable = str(readable_copy(file, landed.place, inspection, folder))
    return Source(file, readable, landed.path, landed.dataset, landed.landed_on, latest, inspection.plain_json)


def _record(night: Night, file: int, arrival: Arrival, tallies: dict[int, Tally]) -> Record:
    """Return the file's record before its rows are counted in the table; refused with its reason, or accepted."""
    landed, inspection = arrival.landed, arrival.inspection
    tally = tallies.get(file) or Tally(inspection.lines, inspection.lines)  # not staged: all of its lines are blank
    if arrival.format and tally.lines != inspection.lines:
        raise JobError(f"{landed.path} changed while it was read: let the upload finish and run the night again")
    problem = arrival.problem or _quarantine_excess(tally, night.settings.max_quarantined, inspection.head)
    return Record(
        path=landed.path,
        fingerprint=inspection.fingerprint,
        dataset=landed.dataset,
        kind=landed.kind,
        format=arrival.format,
        landed_on=landed.landed_on,
        bytes=inspection.size,
        rows_read=inspection.lines if arrival.problem else tally.read,
        rows_good=0,
        rows_quarantined=0 if problem else tally.quarantined,
        rows_duplicate=0,
        state=REFUSED if problem else ACCEPTED,
        message=problem,
        ingested_at=night.now,
        modified_ns=inspection.modified_ns,
        inode=inspection.inode,
    )


def _quarantine_excess(tally: Tally, max_share: float, head: bytes) -> str | None:
    """Return why a file with more than `max_share` of rejected lines is refused; `head` is the start of its text."""
    if tally.quarantined <= max_share * tally.read:
        return None
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in tally.rejected.most_common())
    first = f"line {tally.first_rejected:,}" + (f": {tally.first_problem}" if tally.first_problem else "")
    shape = describe_shape(head)
    return (
        f"{tally.quarantined:,} of {tally.read:,} lines are unusable, more than {max_share:.0%} "
        f"({reasons}; the first is {first})" + (f"; it is {shape}" if shape else "")
    )


def _commit_quarantine(night: Night, lines: dict[str, duckdb.DuckDBPyConnection], accepted: dict[int, Record]) -> None:
    """Replace the rejected lines of the accepted files, in one commit."""
    erased = load_erased_users(night.lake)
    prints = {file: record.fingerprint for file, record in accepted.items()}
    rows = pa.concat_tables(staged_lines.quarantine(lines[kind], prints, erased) for kind in KINDS)
    of_files = pc.field("path").isin([record.path for record in accepted.values()])
    stored = delta.scan(QUARANTINE, night.lake)
    if stored.count_rows(filter=of_files):
        delta.replace(QUARANTINE, pa.concat_tables([stored.to_table(filter=~of_files), rows]), night.lake)
    elif rows.num_rows:
        delta.append(QUARANTINE, rows, night.lake)


def _commit_rows(
    night: Night,
    table: Table,
    lines: duckdb.DuckDBPyConnection,
    arrived: dict[int, str],
    before: Registry,
    folder: Path,
) -> Registry:
    """Gate the rows of the accepted files that stand, commit them; return the registry with the rows counted."""
    merge = Merge(lines, table, arrived, night.lake)
    outcome = merge.choose(load_erased_users(night.lake))
    if outcome.good:
        merge.write_entering(folder)
        night.gate(table, ds.dataset(folder, format="parquet"), night.run_date)
    merge.commit(folder, outcome)
    recounted = file_registry.recounted(before, _rows_by_path(before, arrived, outcome))
    return _require_sums(table, recounted, night.lake)


def _rows_by_path(registry: Registry, arrived: dict[int, str], outcome: Outcome) -> dict[str, int]:
    """How many rows of the table are now of each path that the night touched."""
    stood = {path: record.rows_good for path, record in file_registry.in_force(registry).items()}
    lost = {path: stood[path] - rows for path, rows in outcome.lost.items() if path in stood}
    return lost | {path: outcome.good[path] for path in arrived.values()}


def _require_sums(table: Table, registry: Registry, lake: Path) -> Registry:
    """The registry, if its files account for all rows of the table; else with every file counted anew.

    JobError where the table holds rows of files that are not in the registry, as half a night leaves them.
    """
    rows = table_files.count_rows(table, lake)
    if file_registry.rows_good(registry, table.name) == rows:
        return registry
    log.info("%s: its files do not account for its %d rows, all are counted again", table.name, rows)
    by_path = Counter(delta.scan(table, lake).to_table(["path"])["path"].to_pylist())
    unknown = sorted(by_path.keys() - file_registry.in_force(registry).keys())
    if unknown:
        raise JobError(
            f"{table.name} holds {by_path[unknown[0]]:,} rows of {unknown[0]}, which no accepted file accounts for "
            f"({len(unknown)} such paths): a night died before it was done; land the file again"
        )
    everything = {
        path: by_path[path]
        for path, record in file_registry.in_force(registry).items()
        if TABLE_OF[record.kind] is table
    }
    return file_registry.recounted(registry, everything)


def _report_refused(refused: list[Record], allow_refused: bool) -> None:
    """Raise JobError with every refused file and why, or log a warning a file where the run is to go on."""
    messages = [f"{record.path}: {record.message}" for record in refused]
    if allow_refused:
        for line in messages:
            log.warning("refused, and the run goes on without it: %s", line)
    elif messages:
        raise JobError(
            f"{len(messages)} file(s) refused, nothing of them entered: {'; '.join(messages)}"
            " (replace them, or run again with --allow-refused)"
        )


if __name__ == "__main__":
    run_step(main)
