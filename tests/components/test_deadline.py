"""The deadline on a night's slates: who rings, what the line says, and a real scheduler that rings for a late night."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plugins import lateness, stage_times
from plugins.deadline import publish_deadline
from recsys_jobs.contracts.settings import ROOT
from recsys_jobs.operations.airflow.airflow_api import Airflow
from recsys_jobs.operations.airflow.local_airflow import running_airflow
from recsys_jobs.pages import sources

ON_TIME, LATE = date(2014, 3, 1), date(2014, 3, 2)
RUN = {"dag_id": "nightly", "dag_run_id": "scheduled__1", "run_type": "scheduled", "conf": {}}
RUN |= {"logical_date": "2014-03-02T00:00:00Z", "run_after": "2014-03-03T00:00:00Z"}


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What rings, without a network; the first night is published."""
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path))
    lines: list[str] = []
    monkeypatch.setattr(lateness, "send_alert", lines.append)
    monkeypatch.setattr(sources, "published_nights", lambda: [ON_TIME])
    return lines


def test_a_night_that_is_not_published_rings_once(rung: list[str]) -> None:
    lateness.alert_if_late({"dag_run": RUN})
    assert rung == [
        "nightly scheduled__1: late: the night of 2014-03-02 is not published; no stage has begun; "
        "the slates of 2014-03-01 stand"
    ]


@pytest.mark.parametrize(("minutes", "seconds"), [("", None), ("0.75", 45), ("0", None)])
def test_a_night_has_a_deadline_where_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, minutes: str, seconds: float | None
) -> None:
    monkeypatch.setenv("RECSYS_PUBLISH_WITHIN", minutes)
    deadline = publish_deadline()
    assert (deadline and deadline.interval.total_seconds()) == seconds


@pytest.mark.parametrize("run", [{"conf": {"date": "2014-03-01"}}, {"run_type": "backfill"}])
def test_a_published_night_and_a_backfill_do_not_ring(rung: list[str], run: dict[str, Any]) -> None:
    lateness.alert_if_late({"dag_run": RUN | run})
    assert rung == []


@pytest.mark.parametrize(("times", "line"), [
    ({"a": (50.0, False), "b": (700.0, True)}, "b is at work since 12 min, usually 60 s"),
    ({"a": (900.0, False), "b": (90.0, False)}, "a took longest: 15 min, usually 800 s"),
    ({"c": (5.0, True)}, "c is at work since 5 s, its usual time is not known"),
])  # fmt: skip
def test_the_slow_stage_is_named_against_its_usual_time(times: dict[str, Any], line: str) -> None:
    usual = {"a": 800.0, "b": 60.0}
    assert lateness.slow_stage(times, usual) == line.replace("800 s", "13 min")


def test_stage_times_are_those_of_the_last_try(rung: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    task = SimpleNamespace(dag_id="nightly", run_id="r/../1", task_id="train.recipe")
    for moment, event in ((0.0, "began"), (30.0, "ended"), (100.0, "began")):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        stage_times.note({"ti": task}, event)
    assert stage_times.seconds("nightly", "r/../1", 160.0) == {"train.recipe": (60.0, True)}
    assert stage_times.seconds("nightly", "another", 160.0) == {}


class Hook(HTTPServer):
    """A chat's hook on loopback, which keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keep)
        self.told: list[str] = []


class _Keep(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append(json.loads(body)["text"])  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    """The hook, listening."""
    server = Hook()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_scheduler_rings_for_the_late_night_alone(
    hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"RECSYS_VAR": tmp_path, "RECSYS_LAKE": tmp_path / "shop", "RECSYS_PUBLISH_WITHIN": "0.75"}
    places |= {"AIRFLOW__CORE__DAGS_FOLDER": Path(__file__).with_name("small_dags"), "RECSYS_WARM": "0"}
    places |= {"RECSYS_ALERT_URL": f"http://127.0.0.1:{hook.server_port}"}
    for name, value in places.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    for name in ("MLFLOW_TRACKING_URI", "AIRFLOW_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / f"slow-{LATE}").write_text("90", encoding="utf-8")
    with running_airflow() as service:
        assert _run(service, ON_TIME) == "success"
        assert _run(service, LATE) == "success"
        time.sleep(10)  # a deadline of the first one would have rung by now
    assert len(hook.told) == 1
    assert f"late: the night of {LATE} is not published; whole is at work since" in hook.told[0]
    assert f"the slates of {ON_TIME} stand" in hook.told[0]


def _run(service: Airflow, night: date) -> str:
    """Trigger the night and follow it to its end."""
    body = {"logical_date": None, "conf": {"date": str(night)}}
    run = service._request("POST", "dags/nightly/dagRuns", json=body)["dag_run_id"]
    while (state := service.get(f"dags/nightly/dagRuns/{run}")["state"]) in ("queued", "running"):
        time.sleep(1)
    return str(state)
