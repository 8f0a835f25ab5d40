"""Landing zones written by hand, ingested without the gates unless a test is about them."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
from pyspark.sql import DataFrame, SparkSession

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import Table
from spark import file_registry, ingest, store
from spark.file_registry import Record


def no_gate(table: Table, rows: ds.Dataset, run_date: date) -> None:
    """The gates have tests of their own."""


@dataclass(frozen=True)
class Zone:
    """A landing zone and the lake it is ingested into."""

    spark: SparkSession
    root: Path
    max_quarantined: float = 0.05

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    def land(self, path: str, *lines: str | bytes | dict[str, Any], end: bytes = b"\n") -> None:
        """Write a file of these lines; dictionaries as JSON, gzipped where the name says so."""
        raw = [json.dumps(line).encode() if isinstance(line, dict) else line for line in lines]
        text = b"".join((line.encode() if isinstance(line, str) else line) + end for line in raw)
        target = self.root / "landing" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(text) if path.endswith(".gz") else text)

    def ingest(self, **how: Any) -> list[Record]:
        settings = replace(Settings(), max_quarantined=self.max_quarantined)
        places = {"landing": self.root / "landing", "lake": self.lake, "gate": no_gate}
        return ingest.ingest(lambda: self.spark, date(2026, 1, 1), settings, **(places | how))

    def read(self, table: Table) -> DataFrame:
        return store.read(self.spark, table, self.lake)

    def rows(self, table: Table, *names: str) -> list[tuple[Any, ...]]:
        """These columns of the table, sorted."""
        return sorted((tuple(row) for row in self.read(table).select(*names).collect()), key=repr)

    def counts(self) -> dict[str, tuple[int, int, int, int, str]]:
        """read, good, quarantined, duplicate and state of the file last recorded at each path."""
        return {
            one.path: (one.rows_read, one.rows_good, one.rows_quarantined, one.rows_duplicate, one.state)
            for one in sorted(file_registry.load(self.lake).values(), key=lambda one: one.state, reverse=True)
        }


def review(user: str = "A1", item: str = "B1", day: int = 0, **fields: Any) -> dict[str, Any]:
    """A review of 2014, `day` days after 2010-01-01."""
    seconds = 1_262_304_000 + 86_400 * day
    return {"reviewerID": user, "asin": item, "overall": 5.0, "reviewText": "good", "summary": "yes"} | {
        "unixReviewTime": seconds,
        **fields,
    }
