"""The registry of landed files: the rows of `ingest_files`, and how they change."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from datetime import date, datetime
from pathlib import Path

from pyspark.sql import SparkSession

from recsys_jobs.contracts import fault_injection
from recsys_jobs.contracts.settings import table_uri
from recsys_jobs.contracts.tables import INGEST_FILES
from spark import store

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


Registry = dict[tuple[str, str], Record]  # by path and fingerprint


def load(spark: SparkSession, lake: Path) -> Registry:
    """The registry as it stands: one row a file, so the driver holds it."""
    rows = store.read(spark, INGEST_FILES, lake).collect()
    records = [Record(**row.asDict()) for row in rows]
    return {(record.path, record.fingerprint): record for record in records}


def save(spark: SparkSession, registry: Registry, lake: Path) -> None:
    """Replace the registry in one commit."""
    rows = [astuple(registry[key]) for key in sorted(registry)]
    frame = spark.createDataFrame(rows, INGEST_FILES.ddl).coalesce(1)
    with fault_injection.commit(INGEST_FILES.name, lake / INGEST_FILES.name):
        frame.write.format("delta").mode("overwrite").save(table_uri(INGEST_FILES.name, lake))


def in_force(registry: Registry) -> dict[str, Record]:
    """The accepted record of each path."""
    return {record.path: record for record in registry.values() if record.state == ACCEPTED}


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


def _superseded(record: Record, paths: set[str], states: set[str]) -> Record:
    """The record, superseded if it has one of the paths and one of the states."""
    if record.path in paths and record.state in states:
        return replace(record, state=SUPERSEDED)
    return record


def recounted(registry: Registry, kind: str, good: dict[str, int]) -> Registry:
    """The registry with the accepted files of `kind` holding the rows that stand in the table, by path."""
    return {key: _recounted(old, good) if old.kind == kind else old for key, old in registry.items()}


def _recounted(old: Record, good: dict[str, int]) -> Record:
    if old.state != ACCEPTED:
        return old
    rows = good.get(old.path, 0)
    return replace(old, rows_good=rows, rows_duplicate=old.rows_read - old.rows_quarantined - rows)
