"""How often each item was shown on a night, counted once: a page cannot read every slate of several nights.

The night's report writes `var/reports/exposure-<date>.parquet`, a row an item, in order of the ids. Nobody is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsys_jobs.contracts.settings import var_dir
from recsys_jobs.lake.partitions import Partitions, open_partitions
from recsys_jobs.pages.sources import histories, slates

_COUNTED_NOW = 2_000_000  # rows of a night that a page counts itself where its file is missing
_ROW_GROUP = 20_000
_SCHEMA = pa.schema(
    [("item_id", pa.string()), ("slates", pa.int64()), ("mean_rank", pa.float64()), ("had", pa.int64())]
)


@dataclass(frozen=True)
class Exposure:
    """On how many slates of a night an item stands, at what mean rank, and how many had it; None: not counted."""

    night: date
    slates: int | None
    mean_rank: float | None = None
    had: int | None = None


_COUNTS = """
    WITH shown AS (SELECT item_id, count(*) AS slates, avg(rank) AS mean_rank FROM slates GROUP BY item_id),
    owned AS (SELECT item_id, count(*) AS had FROM histories GROUP BY item_id)
    SELECT item_id, coalesce(slates, 0) AS slates, mean_rank, coalesce(had, 0) AS had
    FROM shown FULL JOIN owned USING (item_id) ORDER BY item_id
"""
_COUNT = """
    SELECT (SELECT count(*) FROM slates WHERE item_id = $item) AS slates,
           (SELECT avg(rank) FROM slates WHERE item_id = $item) AS mean_rank,
           (SELECT count(*) FROM histories WHERE item_id = $item) AS had
"""


def write_exposure(night: date) -> None:
    """Count the night's slates and histories by item."""
    with open_partitions() as partitions:
        rows = partitions.rows(_COUNTS, {"slates": slates(night), "histories": histories(night)})
    path = _path(night)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), partial, row_group_size=_ROW_GROUP)
    partial.replace(path)


def exposure(partitions: Partitions, night: date, item: str) -> Exposure:
    """The item on one night: from its file, else counted now, else not where that is too much for a page."""
    if _path(night).is_file():
        found = pq.read_table(_path(night), filters=[("item_id", "=", item)]).to_pylist()
        row = found[0] if found else {"slates": 0, "mean_rank": None, "had": 0}
    elif partitions.count(slates(night)) <= _COUNTED_NOW:
        sources = {"slates": slates(night), "histories": histories(night)}
        row = partitions.rows(_COUNT, sources, item=item)[0]
    else:
        return Exposure(night, None)
    return Exposure(night, row["slates"], row["mean_rank"], row["had"])


def _path(night: date) -> Path:
    return var_dir() / "reports" / f"exposure-{night}.parquet"
