"""The measurements in `model_metrics`: a night's own exam, and a bake-off's two windows, under one date.

They share a date's partition and not their protocol; each replaces its own rows and leaves the others.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.tables import MODEL_METRICS
from recsys_jobs.lake import delta

NIGHT = "global_time"
BAKEOFF, CONFIRMATION = "bakeoff", "bakeoff_confirmation"


def replace(run_date: date, protocol: str, rows: list[dict[str, Any]]) -> None:
    """Put `rows` in the place of the date's rows of this protocol, in one commit."""
    with delta.writer_lock("model_metrics"):
        present = delta.read_date(MODEL_METRICS, run_date)
        is_other = pc.not_equal(present["protocol"], protocol)
        schema = delta.arrow_schema(MODEL_METRICS)
        others = present.filter(is_other).cast(schema)
        new = pa.Table.from_pylist(rows, schema)
        delta.replace_date(MODEL_METRICS, run_date, pa.concat_tables([others, new]))


def rows_of(run_date: date, protocol: str = NIGHT) -> list[dict[str, Any]]:
    """The date's rows of one protocol, sorted by key."""
    rows = delta.read_date(MODEL_METRICS, run_date).to_pylist()
    return [row for row in rows if row["protocol"] == protocol]
