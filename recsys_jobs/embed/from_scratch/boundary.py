"""When encoders are refitted: on a calendar, on what precedes the boundary. Standard library only."""

from __future__ import annotations

from datetime import date

from recsys_jobs.contracts.errors import UsageError

MONTHS = (1, 2, 3, 4, 6, 12)  # that divide a year, so that every year has the same boundaries


def latest_boundary(cut: date, months: int) -> date:
    """Return the latest first day of a period of so many months that is not after `cut`.

    What precedes it is what happened before the start of that day. UsageError for a period that divides no year.
    """
    if months not in MONTHS:
        raise UsageError(f"encoder_months is {months}: write one of {', '.join(map(str, MONTHS))}")
    return date(cut.year, (cut.month - 1) // months * months + 1, 1)
