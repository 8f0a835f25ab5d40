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
from spark.erased_users import hushed, without_forgotten
from spark.file_registry import ACCEPTED, REFUSED, Record, Registry
from spark.landing import KINDS, discover
from spark.lines import Source, readable_copy
from spark.publish import bring, replace_paths, rows_by_path
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
    discover(landing_zone())  # a wrong place is told before Spark takes its time to start
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
    """Bring the lake up to what has landed; returns the records of the files that were read or refused.

    Raises JobError naming the files that were refused, once the good ones are in, unless `allow_refused`.
    """
    now = datetime.now(UTC)
    night = Night(spark, landing or landing_zone(), lake or lake_root(), run_date, now, settings, gate)
    before = file_registry.load(spark, night.lake)
    landed = discover(night.landing)
    arrived = arrivals(landed, before)
    after = file_registry.restored(before, {file.path for file in landed} - {one.landed.path for one in arrived})
    if arrived:
        log.info("%d files to read, %.1f MB", len(arrived), sum(one.found.size for one in arrived) / 1e6)
        after = _enter(night, arrived, after)
    else:
        log.info("nothing new in %s", night.landing)
    if after != before:
        file_registry.save(spark, after, night.lake)
    records = [after[one.landed.path, one.found.fingerprint] for one in arrived]
    if records:
        log_accounting(records)
    _tell_refused([record for record in records if record.state == REFUSED], allow_refused)
    return records


def _enter(night: Night, arrived: list[Arrival], before: Registry) -> Registry:
    """Stage, judge, commit and gate; returns the registry as it is then."""
    with staging.workplace(night.lake) as folder:
        staged = {kind: _stage(night, kind, arrived, folder) for kind in KINDS}
        records = {file: _record(night, file, one, staged) for file, one in enumerate(arrived)}
        accepted = {file: record for file, record in records.items() if record.state == ACCEPTED}
        _commit_quarantine(night, staged, accepted)
        for kind in KINDS:
            _commit_rows(night, TABLE_OF[kind], staged[kind], {f: r for f, r in accepted.items() if r.kind == kind})
    after = reduce(file_registry.add, records.values(), before)
    for kind in {record.kind for record in accepted.values()}:
        after = file_registry.recounted(after, kind, rows_by_path(night.spark, TABLE_OF[kind], night.lake))
    return after


def _stage(night: Night, kind: str, arrived: list[Arrival], folder: Path) -> Staged | None:
    of_kind = [(file, one) for file, one in enumerate(arrived) if one.landed.kind == kind and one.format]
    sources = [_source(night, file, one, folder) for file, one in of_kind]
    return staging.stage(night.spark, kind, sources, folder) if sources else None


def _source(night: Night, file: int, one: Arrival, folder: Path) -> Source:
    """A review is from the future if it is later than the day after its file landed, or than tomorrow."""
    landed = one.landed
    latest = night.now + timedelta(days=1)
    if landed.landed_on:
        latest = min(latest, datetime.combine(landed.landed_on, time(), UTC) + timedelta(days=2))
    readable = readable_copy(file, landed.place, one.found, folder)
    return Source(file, str(readable), landed.path, landed.dataset, landed.landed_on, latest, one.found.plain_json)


def _record(night: Night, file: int, one: Arrival, staged: dict[str, Staged | None]) -> Record:
    """The file's record before its rows are counted in the table; refused with its reason, or accepted."""
    of_kind = staged[one.landed.kind]
    tally = of_kind.tallies[file] if of_kind and file in of_kind.tallies else Tally(one.found.lines, one.found.lines)
    if one.format and tally.lines != one.found.lines:
        raise JobError(f"{one.landed.path} changed while it was read: let the upload finish and run the night again")
    problem = one.problem or _too_many(tally, night.settings.max_quarantined, one.found.head)
    return Record(
        path=one.landed.path,
        fingerprint=one.found.fingerprint,
        dataset=one.landed.dataset,
        kind=one.landed.kind,
        format=one.format,
        landed_on=one.landed.landed_on,
        bytes=one.found.size,
        rows_read=one.found.lines if one.problem else tally.read,
        rows_good=0,
        rows_quarantined=0 if problem else tally.quarantined,
        rows_duplicate=0,
        state=REFUSED if problem else ACCEPTED,
        message=problem,
        ingested_at=night.now,
    )


def _too_many(tally: Tally, allowed: float, head: bytes) -> str | None:
    """What to say of a file with more than the `allowed` share of rejected lines; `head` is the start of its text."""
    if tally.quarantined <= allowed * tally.read:
        return None
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in tally.rejected.most_common())
    first = f"line {tally.first_rejected:,}" + (f": {tally.first_problem}" if tally.first_problem else "")
    shape = describe_shape(head)
    return (
        f"{tally.quarantined:,} of {tally.read:,} lines are unusable, more than {allowed:.0%} "
        f"({reasons}; the first is {first})" + (f"; it is {shape}" if shape else "")
    )


def _commit_quarantine(night: Night, staged: dict[str, Staged | None], accepted: dict[int, Record]) -> None:
    """Replace the rejected lines of the accepted files, in one commit."""
    prints = [(file, record.fingerprint) for file, record in accepted.items()]
    fingerprints = night.spark.createDataFrame(prints, "file INT, fingerprint STRING")
    rows = night.spark.createDataFrame([], QUARANTINE.ddl)
    for one in staged.values():
        if one and any(accepted[file].rows_quarantined for file in accepted if file in one.tallies):
            rejected = staging.quarantine(one.rejected(list(accepted)), fingerprints)
            rows = rows.unionByName(hushed(rejected, load_erased_users(night.lake)))
    replace_paths(night.spark, QUARANTINE, rows, [record.path for record in accepted.values()], night.lake)


def _commit_rows(night: Night, table: Table, staged: Staged | None, accepted: dict[int, Record]) -> None:
    """Commit the sound rows of the accepted files to their table, then gate it."""
    if not accepted:
        return
    paths = [record.path for record in accepted.values()]
    fresh = staged.good(list(accepted)) if staged else _no_rows(night, table)
    if table is REVIEWS:
        fresh = without_forgotten(fresh, load_erased_users(night.lake))
    bring(night.spark, table, fresh, paths, night.lake)
    whole = store.read(night.spark, table, night.lake)
    if not whole.isEmpty():
        night.gate(table, whole, night.run_date)


def _no_rows(night: Night, table: Table) -> DataFrame:
    return night.spark.createDataFrame([], f"file INT, seq BIGINT, {table.ddl}")


def _tell_refused(refused: list[Record], allow_refused: bool) -> None:
    """JobError with every refused file and why, or a warning a file where the run is to go on."""
    said = [f"{record.path}: {record.message}" for record in refused]
    if allow_refused:
        for line in said:
            log.warning("refused, and the run goes on without it: %s", line)
    elif said:
        raise JobError(
            f"{len(said)} file(s) refused, nothing of them entered: {'; '.join(said)}"
            " (replace them, or run again with --allow-refused)"
        )


if __name__ == "__main__":
    run_step(main)
