"""The cuts of a night: the day before its holdout begins, and whether the holdout decides."""

from __future__ import annotations

from datetime import date

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import CUTS
from recsys_jobs.lake import delta


def exam_cut(run_date: date) -> tuple[date, bool]:
    """H of the night of `run_date`, and whether its holdout has users enough to decide by."""
    rows = delta.read_date(CUTS, run_date).to_pylist()
    if not rows:
        raise JobError(f"no snapshot of {run_date}: run python -m spark.snapshots --run-date {run_date} first")
    return rows[0]["exam_cut"], rows[0]["decidable"]
