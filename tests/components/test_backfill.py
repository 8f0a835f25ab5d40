"""A range of dates through a real scheduler: what is missing runs, what failed is tried again, what is done stands.

One Airflow home for the module, and one start of it: each call finds the Airflow that runs, and the last test stops
it. The tests run in order. The nights are small (`small_night`), all else is real.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta
from recsys_jobs.operations.airflow import backfill as backfill_module
from recsys_jobs.operations.airflow.backfill import BackfillOptions, backfill
from recsys_jobs.operations.airflow.backfill_runs import Run
from recsys_jobs.operations.airflow.local_airflow import running_airflow
from recsys_jobs.operations.airflow.night_runner import airflow_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FIRST, SECOND, THIRD, LIVE = (date(2014, 3, day) for day in (1, 2, 3, 7))
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("backfill")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_VAR", str(home))
        patch.setenv("RECSYS_LAKE", str(home / "shop"))
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(Path(__file__).with_name("small_dags")))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        for name in ("MLFLOW_TRACKING_URI", "AIRFLOW_HOME"):
            patch.delenv(name, raising=False)
        yield home


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        stack.enter_context(running_airflow())
        yield stack


def ran(home: Path) -> list[date]:
    """The dates whose nights started, in that order, since the last look."""
    file = home / "ran.txt"
    days = [date.fromisoformat(line) for line in file.read_text(encoding="utf-8").split()] if file.exists() else []
    file.unlink(missing_ok=True)
    return days


def states(runs: list[Run]) -> dict[date, str]:
    return {run.day: run.state for run in runs}


@pytest.mark.usefixtures("running")
def test_missing_dates_run_in_order_and_a_failed_one_is_told_and_turns_the_status(home: Path, capsys) -> None:
    (home / f"broken-{SECOND}").touch()
    with pytest.raises(JobError, match=r"^1 of 3 dates are not done: 2014-03-02; the same call tries them again$"):
        backfill(BackfillOptions(FIRST, THIRD), poll=1)
    assert ran(home) == [FIRST, SECOND, THIRD]
    assert delta.dates(RECOMMENDATIONS) == [FIRST, THIRD]
    said = capsys.readouterr().out
    assert "whole: error: no review before the end of 2014-03-02" in said
    table = [line.split() for line in said.split("published\n")[1].splitlines()]
    assert [(row[0], row[1], row[-1]) for row in table] == [
        ("2014-03-01", "success", "yes"),
        ("2014-03-02", "failed", "no"),
        ("2014-03-03", "success", "yes"),
    ]


@pytest.mark.usefixtures("running")
def test_the_same_call_runs_what_failed_alone_and_a_rerun_all_the_latest_first(home: Path) -> None:
    (home / f"broken-{SECOND}").unlink()
    assert states(backfill(BackfillOptions(FIRST, THIRD), poll=1)) == dict.fromkeys((FIRST, SECOND, THIRD), "success")
    assert ran(home) == [SECOND]
    backfill(BackfillOptions(FIRST, THIRD), poll=1)
    assert ran(home) == [], "nothing is missing: nothing runs"
    backfill(BackfillOptions(SECOND, THIRD, rerun=True, reverse=True), poll=1)
    assert ran(home) == [THIRD, SECOND]
    with running_airflow() as service:
        runs = service.get("dags/nightly/dagRuns", limit=100)["dag_runs"]
    assert len(runs) == 3, "an Airflow started for a backfill starts no live night"


@pytest.mark.usefixtures("running")
def test_a_creation_that_a_locked_database_cut_off_is_cancelled_and_made_whole(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = backfill_module._create, []

    def cut_off_at_first(call: BackfillOptions) -> bool:
        calls.append(call)
        return whole(call) if len(calls) > 1 else not whole(replace(call, last=SECOND))

    monkeypatch.setattr(backfill_module, "_create", cut_off_at_first)
    runs = backfill(BackfillOptions(SECOND, THIRD, rerun=True), poll=1)
    assert len(calls) >= 2  # the database may be locked in earnest, too
    assert all(run.state == "success" and run.ran_now for run in runs)
    assert set(ran(home)) == {SECOND, THIRD}


@pytest.mark.usefixtures("running")
def test_a_live_night_beside_it_loses_nothing(home: Path) -> None:
    ran(home)
    trigger = ["airflow", "dags", "trigger", "nightly", "--logical-date", f"{LIVE}T00:00:00Z"]
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(backfill, BackfillOptions(FIRST, THIRD, rerun=True), poll=1)
        subprocess.run(trigger, env=airflow_environment(), check=True, capture_output=True)
        assert states(going.result()) == dict.fromkeys((FIRST, SECOND, THIRD), "success")
    until = time.monotonic() + 120
    while LIVE not in delta.dates(RECOMMENDATIONS) and time.monotonic() < until:
        time.sleep(1)
    assert delta.dates(RECOMMENDATIONS) == [FIRST, SECOND, THIRD, LIVE]
    assert sorted(ran(home)) == [FIRST, SECOND, THIRD, LIVE]


@pytest.mark.usefixtures("running")
def test_a_run_whose_tables_are_not_in_this_lake_does_not_count(home: Path) -> None:
    shutil.rmtree(home / "shop")
    with pytest.raises(JobError, match=r"has no recommendations of it: .* another lake; add RERUN=1"):
        backfill(BackfillOptions(FIRST, FIRST), poll=1)
    assert states(backfill(BackfillOptions(FIRST, FIRST, rerun=True), poll=1)) == {FIRST: "success"}
    assert delta.dates(RECOMMENDATIONS) == [FIRST]


def test_nothing_is_left_running_and_the_dag_is_paused_as_before(home: Path, running: ExitStack) -> None:
    running.close()
    assert not (home / "airflow" / "serving.json").exists()
    left = [path for path in Path("/proc").glob("[0-9]*/environ") if _mentions(path, str(home))]
    assert left == []


def _mentions(environ: Path, text: str) -> bool:
    try:
        return f"RECSYS_VAR={text}\0".encode() in environ.read_bytes() and int(environ.parent.name) != os.getpid()
    except OSError:  # not ours to read, or gone by now
        return False
