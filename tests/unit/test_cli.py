"""Help reads like help and is quick; mistakes are one line and exit status 2."""

from __future__ import annotations

import subprocess
import sys

import pytest

from recsys_jobs.commands.cli import parser

HEAVY = ("torch", "pyarrow", "pandas", "mlflow", "duckdb", "airflow", "pyspark")


def recsys(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recsys_jobs.commands.cli", *arguments], capture_output=True, text=True, check=False
    )


def test_help_names_every_command_and_place() -> None:
    text = parser().format_help()
    for word in (
        "demo",
        "night",
        "backfill",
        "diff",
        "sample",
        "sql",
        "show",
        "why",
        "exam",
        "ui",
        "challenge",
        "promote",
        "rollback",
        "models",
        "publish",
        "forget",
        "maintain",
        "tune",
        "RECSYS_LANDING",
        "RECSYS_LAKE",
        "exit status",
    ):
        assert word in text


def test_the_command_line_loads_nothing_heavy() -> None:
    code = f"import sys, recsys_jobs.commands.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("night", "soon"), "error: 'soon' is not a date: write YYYY-MM-DD, as in 2014-03-01"),
        (("backfill", "2014-03-05", "2014-03-01"), "error: FROM 2014-03-05 is after TO 2014-03-01: swap them"),
        (("backfill", "2014-03-01", "2999-01-01"), "starts when that day is over (UTC): choose an earlier TO"),
        (("diff", "nowhere", "nowhere"), "nowhere is no lake: there is no such folder"),
        (("sql",), 'error: no query: recsys sql "select …", or make sql Q="select …"'),
        (("promote",), "error: name a version to promote (recsys models lists them), or --release what is held"),
        (("challenge", "magic"), "error: unknown recipe 'magic': name one of "),
        (("tune", "magic"), "error: unknown recipe 'magic': name one of "),
        (("tune", "sage_fm", "--minutes", "0"), "--minutes 0 leaves no time for a trial: write a number above 0"),
        (("tune", "sage_fm", "--trials", "0"), "error: --trials 0 leaves no trial: write 1 or more"),
        (("tune", "sage_fm-tuned-00000000"), "is not there; bring it back, or search again: recsys tune sage_fm"),
        (("dance",), "invalid choice: 'dance'"),
        (("why", "ann", "i1", "--date", "soon"), "error: 'soon' is not a date: write YYYY-MM-DD, as in 2014-03-01"),
        (("why", "ann"), "the following arguments are required: item"),
        (("exam", ".", "--models", "magic"), "error: unknown recipe 'magic': name one of "),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(arguments: tuple[str, ...], says: str) -> None:
    done = recsys(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
