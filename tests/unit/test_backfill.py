"""A range of dates: which calls are wrong, and which outcomes turn the exit status. Real runs: tests/components."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta
from recsys_jobs.operations.airflow.backfill import BackfillOptions, _print_table, _require_success
from recsys_jobs.operations.airflow.backfill_runs import Run

FIRST, SECOND = date(2024, 2, 28), date(2024, 2, 29)


@pytest.fixture(autouse=True)
def a_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake with the first date published."""
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path / "shop"))
    row = {"run_date": FIRST, "user_id": "ann", "rank": 1, "item_id": "cup", "score": 1.0}
    row |= {"model_name": "m", "model_version": 1, "model_fingerprint": "f"}
    delta.replace_date(RECOMMENDATIONS, FIRST, pa.Table.from_pylist([row], delta.arrow_schema(RECOMMENDATIONS)))


def test_a_range_has_both_ends() -> None:
    assert BackfillOptions(FIRST, date(2024, 3, 1)).days == [FIRST, SECOND, date(2024, 3, 1)]
    assert BackfillOptions(FIRST, FIRST).days == [FIRST]


def test_a_range_that_runs_backwards_or_is_not_over_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="FROM 2024-02-29 is after TO 2024-02-28: swap them"):
        BackfillOptions(SECOND, FIRST)
    today = datetime.now(UTC).date()
    with pytest.raises(UsageError, match=f"the night of {today} starts when that day is over"):
        BackfillOptions(FIRST, today)
    assert BackfillOptions(FIRST, today - timedelta(days=1)).days[0] == FIRST


def test_dates_that_failed_and_dates_without_a_run_are_not_done() -> None:
    with pytest.raises(JobError, match="2 of 3 dates are not done: 2024-02-29, 1990-01-01"):
        _require_success([Run(FIRST, "success"), Run(SECOND, "failed"), Run(date(1990, 1, 1), "missing")])


def test_a_success_that_this_lake_knows_nothing_of_is_not_done() -> None:
    _require_success([Run(FIRST, "success")])
    with pytest.raises(JobError, match=r"Airflow has run 2024-02-29, and .*shop has no recommendations of it"):
        _require_success([Run(FIRST, "success"), Run(SECOND, "success")])


def test_the_table_tells_what_ran_now_from_what_stood_before(capsys: pytest.CaptureFixture[str]) -> None:
    _print_table(
        [Run(FIRST, "success", 4.0), Run(SECOND, "failed", 1.25, ran_now=True), Run(date(1990, 1, 1), "missing")]
    )
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["date", "state", "minutes", "published"],
        ["2024-02-28", "success", "before", "yes"],
        ["2024-02-29", "failed", "1.2", "no"],
        ["1990-01-01", "missing", "no"],
    ]
