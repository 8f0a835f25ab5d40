"""The slates of each evaluated user by a model of the exam, as a file: JSON lines, or Parquet.

One row a user and model: model, user_id, item_ids (best first), scores, hits (whether the user took the item in
the part that is measured), targets (how many items the user took there), part.
U users, I items, B block of users, K places, T targets, N targets of a block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.evaluation.metrics import hits
from recsys_jobs.evaluation.top_k_evaluation import holdout_targets
from recsys_jobs.exam.prepare import PreparedExam
from recsys_jobs.ranking.model import Model
from recsys_jobs.ranking.top_k import top_k

SUFFIXES = (".jsonl", ".parquet")
SCHEMA = pa.schema(
    [
        ("model", pa.string()),
        ("user_id", pa.string()),
        ("item_ids", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float64())),
        ("hits", pa.list_(pa.bool_())),
        ("targets", pa.int64()),
        ("part", pa.string()),
    ]
)


def predictions(model: Model, name: str, prepared: PreparedExam, k: int, part: str) -> Iterator[pa.Table]:
    """Yield the slates of each evaluated user by full ranking, a table a block of users."""
    dataset, hidden_UI = prepared.datasets.score, prepared.datasets.hidden_UI
    user_T, item_T = holdout_targets(dataset, prepared.datasets.holdout)
    user_U, row_T, targets_U = np.unique(user_T, return_inverse=True, return_counts=True)
    start = 0
    for slates in top_k(model, dataset, k, users=user_U, hidden_UI=hidden_UI):
        stop = start + len(slates.user_B)
        in_block_T = (row_T >= start) & (row_T < stop)
        row_N, item_N = row_T[in_block_T] - start, item_T[in_block_T]
        hit_BK = hits(slates.item_BK, row_N, item_N, len(dataset.items))
        users = zip(*slates, hit_BK, targets_U[start:stop], strict=True)
        rows = [
            {
                "model": name,
                "user_id": dataset.users[user],
                "item_ids": [dataset.items[item] for item in item_K[:count]],
                "scores": score_K[:count].tolist(),
                "hits": hit_K[:count].tolist(),
                "targets": int(targets),
                "part": part,
            }
            for user, item_K, score_K, count, hit_K, targets in users
        ]
        start = stop
        yield pa.Table.from_pylist(rows, SCHEMA)


class Predictions:
    """A file of predictions, written a model at a time; it gets its name once it is whole."""

    def __init__(self, path: Path) -> None:
        self.path, self.partial = path, path.with_name(f"{path.name}.partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file: Any = (
                pq.ParquetWriter(self.partial, SCHEMA)
                if path.suffix == ".parquet"
                else self.partial.open("w", encoding="utf-8")
            )
        except OSError as error:
            raise JobError(f"{path}: {error.strerror or error}: name a file that can be written") from None

    def add(self, tables: Iterator[pa.Table]) -> None:
        """Write the rows of one model."""
        for table in tables:
            if isinstance(self._file, pq.ParquetWriter):
                self._file.write_table(table)
            else:
                self._file.writelines(json.dumps(row, allow_nan=False) + "\n" for row in map(_plain, table.to_pylist()))

    def close(self) -> Path:
        """Give the file its name, and return it."""
        self._file.close()
        return self.partial.replace(self.path)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row for JSON: null for a score that is no finite number."""
    return row | {"scores": [score if np.isfinite(score) else None for score in row["scores"]]}
