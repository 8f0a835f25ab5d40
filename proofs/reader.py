"""A reader who asks for the published nights again and again, and must never see a part of one."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from types import TracebackType

from deltalake import DeltaTable

from recsys_jobs.lake.delta import dataset


def published(lake: Path) -> dict[str, int]:
    """Return the number of rows of every published night."""
    table = dataset(DeltaTable(str(lake / "recommendations")))
    run_dates = table.to_table(columns=["run_date"])["run_date"].to_pylist()
    return {str(run_date): rows for run_date, rows in Counter(run_dates).items()}


class Reader:
    """Polls `recommendations` of a lake in a thread of its own while the block lasts.

    `polls` counts how often; `partial` has the nights that were seen with other rows than `whole` says.
    """

    def __init__(self, lake: Path, whole: dict[str, int]) -> None:
        self.polls = 0
        self.partial: list[str] = []
        self._lake, self._whole = lake, whole
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._over.wait(0.2):
            try:
                seen = published(self._lake)
            except Exception as error:  # noqa: BLE001 - whatever a reader meets is what the proof is about
                self.partial.append(f"not readable: {error}")
                continue
            self.polls += 1
            for night, rows in seen.items():
                if rows != self._whole.get(night):
                    self.partial.append(f"{night} with {rows} rows of {self._whole.get(night)}")
