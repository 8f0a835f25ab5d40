"""The accounting of a night's files, as the log shows it."""

from __future__ import annotations

import logging

from spark.file_registry import ACCEPTED, Record

log = logging.getLogger(__name__)

_LINE = "%9s  %10s  %10s  %11s  %10s  %-8s  %s"


def log_accounting(records: list[Record]) -> None:
    """One line a file, and the totals of the accepted ones."""
    log.info(_LINE, "MB", "read", "good", "quarantined", "duplicate", "state", "file")
    for record in records:
        log.info(_LINE, *_format_counts([record]), record.state, record.path)
    accepted = [record for record in records if record.state == ACCEPTED]
    log.info(_LINE, *_format_counts(accepted), "total", f"{len(accepted)} of {len(records)} files accepted")


def _format_counts(records: list[Record]) -> list[str]:
    counts = [
        sum(getattr(record, name) for record in records)
        for name in ("rows_read", "rows_good", "rows_quarantined", "rows_duplicate")
    ]
    return [f"{sum(record.bytes for record in records) / 1e6:,.2f}", *(f"{count:,}" for count in counts)]
