"""What several subcommands read alike."""

from __future__ import annotations

from datetime import date

from recsys_jobs.contracts.settings import parse_date


def date_or_none(text: str | None) -> date | None:
    """Return the date that was given, None where none was; UsageError for what is no date."""
    return parse_date(text) if text else None
