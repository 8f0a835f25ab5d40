"""A full disk and a server that is away, as the libraries tell of them."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from recsys_jobs.contracts.environment_errors import explain
from recsys_jobs.contracts.errors import run_main


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/lake/part-0.parquet"),
        OSError("Generic LocalFileSystem error: Unable to copy data: No space left on device (os error 28)"),
        sqlite3.OperationalError("database or disk is full"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
    ],
)
def test_a_full_disk_is_one_line_whoever_says_it(error: Exception) -> None:
    assert "no space left on the device: free some" in str(explain(error))


def test_it_is_found_behind_the_exception_that_hides_it() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as cause:
            raise RuntimeError("could not log the model") from cause
    except RuntimeError as error:
        assert explain(error)


def test_a_server_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    error = RuntimeError("Max retries exceeded with url: /api/2.0/mlflow/experiments/get-by-name?x=1 (Caused by …)")
    assert explain(error) == (
        "the MLflow server http://127.0.0.1:9 does not answer: start it and run this again; what was published stands"
    )


def test_anything_else_keeps_its_traceback() -> None:
    assert explain(KeyError("user_id")) is None

    def main() -> None:
        raise KeyError("user_id")

    with pytest.raises(KeyError):
        run_main(main)
