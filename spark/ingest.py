"""Ingest: what landed since the last night enters `reviews` and `items`; `python -m spark.ingest --run-date D`.

A file enters whole or not at all. The tables are committed one after the other and `ingest_files` last, after the
gates: a night that dies in between is repeated, and leaves the same rows.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from expectations.gate import validate
from recsys_jobs.contracts.erased_users import load_erased_users
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.contracts.settings import Settings, lake_root, landing_zone, load_settings, parse_date
from recsys_jobs.contracts.tables import ITEMS, QUARANTINE, REVIEWS, Table
from spark import file_registry, staging, store
from spark.arrivals import Arrival, arrivals
from spark.dump_shape import describe_shape
from spark.erased_users import redact, without_erased_users
from spark.file_registry import ACCEPTED, REFUSED, Record, Registry
from spark.landing import KINDS, discover
from spark.lines import Source, readable_copy
from spark.publish import merge_rows, replace_paths, rows_by_path
from spark.report import log_accounting
from spark.session import get_spark
from spark.staging import Staged, Tally

log = logging.getLogger(__name__)

TABLE_OF = {"reviews": REVIEWS, "items": ITEMS}
Gate = Callable[[Table, DataFrame, date], None]  # raises JobError


@dataclass(frozen=True)
class Night:
    """Where and when: what every step of the night needs."""

    spark: SparkSession
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
    discover(landing_zone())  # a wrong place fails before Spark takes its time to start
    ingest(get_spark("ingest"), run_date, settings, allow_refused=args.allow_refused)


def ingest(
    spark: SparkSession,
    run_date: date,
    settings: Settings,
    *,
    landing: Path | None = None,
    lake: Path | None = None,
    allow_refused: bool = False,
    gate: Gate = validate,
) -> list[Record]:
    """Bring the lake up to what has landed; return the records of the files that were read or refused.

    Raises JobError naming the files that were refused, once the good ones are in, unless `allow_refused`.
    """
    now = datetime.now(UTC)
    night = Night(spark, landing or landing_zone(), lake or lake_root(), run_date, now, settings, gate)
    before = file_registry.load(spark, night.lake)
    landed = discover(night.landing)
    new_arrivals = arrivals(landed, before)
    arrived_paths = {arrival.landed.path for arrival in new_arrivals}
    after = file_registry.restored(before, {file.path for file in landed} - arrived_paths)
    if new_arrivals:
        size = sum(arrival.inspection.size for arrival in new_arrivals)
        log.info("%d files to read, %.1f MB", len(new_arrivals), size / 1e6)
        after = _ingest_arrivals(night, new_arrivals, after)
    else:
        log.info("nothing new in %s", night.landing)
    if after != before:
        file_registry.save(spark, after, night.lake)
    records = [after[arrival.landed.path, arrival.inspection.fingerprint] for arrival in new_arrivals]
    if records:
        log_accounting(records)
    _report_refused([record for record in records if record.state == REFUSED], allow_refused)
    return records


def _ingest_arrivals(night: Night, new_arrivals: list[Arrival], before: Registry) -> Registry:
    """Stage the files, accept or refuse each, commit and gate; return the new registry."""
    with staging.workplace(night.lake) as folder:
        staged = {kind: _stage(night, kind, new_arrivals, folder) for kind in KINDS}
        records = {file: _record(night, file, arrival, staged) for file, arrival in enumerate(new_arrivals)}
        accepted = {file: record for file, record in records.items() if record.state == ACCEPTED}
        _commit_quarantine(night, staged, accepted)
        for kind in KINDS:
            of_kind = {file: record for file, record in accepted.items() if record.kind == kind}
            _commit_rows(night, TABLE_OF[kind], staged[kind], of_kind)
    after = reduce(file_registry.add, records.values(), before)
    for kind in {record.kind for record in accepted.values()}:
        after = file_registry.recounted(after, kind, rows_by_path(night.spark, TABLE_OF[kind], night.lake))
    return after


def _stage(night: Night, kind: str, new_arrivals: list[Arrival], folder: Path) -> Staged | None:
    sources = [
        _source(night, file, arrival, folder)
        for file, arrival in enumerate(new_arrivals)
        if arrival.landed.kind == kind and arrival.format
    ]
    return staging.stage(night.spark, kind, sources, folder) if sources else None


def _source(night: Night, file: int, arrival: Arrival, folder: Path) -> Source:
    """A review is from the future if it is later than the day after its file landed, or than tomorrow."""
    landed, inspection = arrival.landed, arrival.inspection
    latest = night.now + timedelta(days=1)
    if landed.landed_on:
        midnight = datetime.combine(landed.landed_on, time(), UTC)
        latest = min(latest, midnight + timedelta(days=2))
    readable = str(readable_copy(file, landed.place, inspection, folder))
    return Source(file, readable, landed.path, landed.dataset, landed.landed_on, latest, inspection.plain_json)


def _record(night: Night, file: int, arrival: Arrival, staged: dict[str, Staged | None]) -> Record:
    """Return the file's record before its rows are counted in the table; refused with its reason, or accepted."""
    landed, inspection = arrival.landed, arrival.inspection
    tally = _tally(file, inspection.lines, staged[landed.kind])
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
    )


def _tally(file: int, lines: int, staged: Staged | None) -> Tally:
    """The staged file's tally; of a file that was not staged all lines count as blank."""
    if staged and file in staged.tallies:
        return staged.tallies[file]
    return Tally(lines, lines)


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


def _commit_quarantine(night: Night, staged: dict[str, Staged | None], accepted: dict[int, Record]) -> None:
    """Replace the rejected lines of the accepted files, in one commit."""
    prints = [(file, record.fingerprint) for file, record in accepted.items()]
    fingerprints = night.spark.createDataFrame(prints, "file INT, fingerprint STRING")
    rows = night.spark.createDataFrame([], QUARANTINE.ddl)
    for staged_kind in staged.values():
        files = [file for file in accepted if staged_kind and file in staged_kind.tallies]
        if staged_kind and any(accepted[file].rows_quarantined for file in files):
            rejected = staging.quarantine(staged_kind.rejected(list(accepted)), fingerprints)
            rows = rows.unionByName(redact(rejected, load_erased_users(night.lake)))
    replace_paths(night.spark, QUARANTINE, rows, [record.path for record in accepted.values()], night.lake)


def _commit_rows(night: Night, table: Table, staged: Staged | None, accepted: dict[int, Record]) -> None:
    """Commit the sound rows of the accepted files to their table, then gate it."""
    if not accepted:
        return
    paths = [record.path for record in accepted.values()]
    fresh = staged.good(list(accepted)) if staged else _no_rows(night, table)
    if table is REVIEWS:
        fresh = without_erased_users(fresh, load_erased_users(night.lake))
    merge_rows(night.spark, table, fresh, paths, night.lake)
    whole = store.read(night.spark, table, night.lake)
    if not whole.isEmpty():
        night.gate(table, whole, night.run_date)


def _no_rows(night: Night, table: Table) -> DataFrame:
    return night.spark.createDataFrame([], f"file INT, seq BIGINT, {table.ddl}")


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
