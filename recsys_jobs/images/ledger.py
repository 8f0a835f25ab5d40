"""The record of attempts: rows of `item_images`, committed now and then rather than one by one."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from recsys_jobs.contracts.tables import ITEM_IMAGES
from recsys_jobs.images.outcome import Outcome
from recsys_jobs.lake import delta

COMMIT_SECONDS = 60.0  # what a killed run may lose; the images themselves stay in the store
COMMIT_ROWS = 50_000  # what may wait in memory


@dataclass(frozen=True)
class Row:
    """The outcome of one source of one item, to be recorded."""

    item_id: str
    source: str
    outcome: Outcome
    checked_on: date
    is_adopted: bool = False  # known from another item's row, not tried


class Ledger:
    """Collects rows and commits them every minute, and at the end, even after an error."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self._rows: list[Row] = []
        self._committed = time.monotonic()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.commit()

    def add(self, rows: list[Row]) -> None:
        """Take rows in, and commit if it is time."""
        self._rows += rows
        if len(self._rows) >= COMMIT_ROWS or time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Write what is waiting, in one commit."""
        if self._rows:
            rows = pa.Table.from_pylist([_columns(row) for row in self._rows], delta.arrow_schema(ITEM_IMAGES))
            delta.upsert(ITEM_IMAGES, rows, self._lake)
        self._rows = []
        self._committed = time.monotonic()


def _columns(row: Row) -> dict[str, object]:
    return {"item_id": row.item_id, "source": row.source, **asdict(row.outcome), "checked_on": row.checked_on}
