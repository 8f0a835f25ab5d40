"""The registry of landed files: the rows of `ingest_files`, and how they change."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from recsys_jobs.contracts.tables import INGEST_FILES
from recsys_jobs.lake import delta

ACCEPTED, REFUSED, SUPERSEDED = "accepted", "refused", "superseded"


@dataclass(frozen=True)
class Record:
    """One row of `ingest_files`, its fields in the table's order.

    For an accepted file rows_read = rows_good + rows_quarantined + rows_duplicate, where rows_good is what stands in
    the table under its path. A row is a duplicate where the table holds another row of the same key instead, of the
    same file or of any other. So the counts of a file may change when a later file has a row that wins.
    """

    path: str
    fingerprint: str
    dataset: str
    kind: str
    format: str | None
    landed_on: date | None
    bytes: int
    rows_read: int
    rows_good: int
    rows_quarantined: int
    rows_duplicate: int
    state: str
    message: str | None
    ingested_at: datetime
    modified_ns: int | None = None  # of the file when it was read; None where it is to be hashed again
    inode: int | None = None


Registry = dict[tuple[str, str], Record]  # by path and fingerprint


def load(lake: Path) -> Registry:
    """The registry as it stands: one row a file."""
    records = [Record(**row) for row in delta.read(INGEST_FILES, lake=lake).to_pylist()]
    return {(record.path, record.fingerprint): record for record in records}


def save(registry: Registry, lake: Path) -> None:
    """Replace the registry in one commit."""
    rows = [asdict(registry[key]) for key in sorted(registry)]
    delta.replace(INGEST_FILES, pa.Table.from_pylist(rows, delta.arrow_schema(INGEST_FILES)), lake)


def in_force(registry: Registry) -> dict[str, Record]:
    """The accepted record of each path."""
    return {record.path: record for record in registry.values() if record.state == ACCEPTED}


def rows_good(registry: Registry, kind: str) -> int:
    """The rows that the accepted files of one kind account for."""
    return sum(record.rows_good for record in in_force(registry).values() if record.kind == kind)


def add(registry: Registry, record: Record) -> Registry:
    """Return the registry with `record` in it, and the records that it replaces superseded.

    A refused file replaces refusals only: the accepted record under the same path stays.
    """
    states = {ACCEPTED, REFUSED} if record.state == ACCEPTED else {REFUSED}
    updated = {key: _superseded(old, {record.path}, states) for key, old in registry.items()}
    return updated | {(record.path, record.fingerprint): record}


def restored(registry: Registry, paths: set[str]) -> Registry:
    """Return the registry after the accepted files at `paths` came back: refusals in their place are superseded."""
    return {key: _superseded(old, paths, {REFUSED}) for key, old in registry.items()}


def seen(registry: Registry, statuses: dict[str, os.stat_result]) -> Registry:
    """The registry after the files in force at these paths were found to be as they are recorded."""
    return {key: _seen(old, statuses) for key, old in registry.items()}


def _seen(record: Record, statuses: dict[str, os.stat_result]) -> Record:
    if record.state != ACCEPTED or record.path not in statuses:
        return record
    status = statuses[record.path]
    return replace(record, modified_ns=status.st_mtime_ns, inode=status.st_ino)


def unseen(registry: Registry, path: str) -> Registry:
    """The registry with the file in force at `path` to be hashed again."""
    return {
        key: replace(old, modified_ns=None, inode=None) if old.path == path else old for key, old in registry.items()
    }


def _superseded(record: Record, paths: set[str], states: set[str]) -> Record:
    """The record, superseded if it has one of the paths and one of the states."""
    if record.path in paths and record.state in states:
        return replace(record, state=SUPERSEDED)
    return record


def recounted(registry: Registry, good: dict[str, int]) -> Registry:
    """The registry with the accepted files among these paths holding so many rows of the table."""
    return {key: _recounted(old, good) for key, old in registry.items()}


def _recounted(old: Record, good: dict[str, int]) -> Record:
    if old.state != ACCEPTED or old.path not in good:
        return old
    rows = good[old.path]
    return replace(old, rows_good=rows, rows_duplicate=old.rows_read - old.rows_quarantined - rows)
