"""What "the run of D" means, for each way a run can start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from plugins.run_date import run_date

NIGHT = datetime(2024, 3, 1, tzinfo=UTC)


def a_run(kind: str = "manual", logical_date: datetime | None = None, run_after: datetime = NIGHT) -> SimpleNamespace:
    return SimpleNamespace(run_type=kind, logical_date=logical_date, run_after=run_after)


@pytest.mark.parametrize(
    ("run", "typed", "expected"),
    [
        (a_run("scheduled", NIGHT), "", "2024-03-01"),
        (a_run("backfill", NIGHT), None, "2024-03-01"),
        (a_run("manual", NIGHT), "2014-01-31", "2014-01-31"),
        (a_run("manual", None, NIGHT + timedelta(hours=9)), "", "2024-02-29"),
        (a_run("manual", datetime(2024, 3, 1, 1, tzinfo=timezone(timedelta(hours=2)))), "", "2024-02-29"),
    ],
    ids=["scheduled", "backfill", "typed", "no logical date: yesterday", "another time zone"],
)
def test_run_date(run: SimpleNamespace, typed: str | None, expected: str) -> None:
    assert run_date(run, {"date": typed}) == expected


def test_a_date_typed_into_a_backfill_is_an_error() -> None:
    with pytest.raises(ValueError, match="leave the parameter `date` empty"):
        run_date(a_run("backfill", NIGHT), {"date": "2024-03-01"})


def test_a_date_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="isoformat"):
        run_date(a_run(), {"date": "first of May"})
