"""The report's task passes on what Airflow measured, links to the page, and tells of drift; with real processes."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.slow

WRITTEN = {"report": "/var/reports/night-2014-03-01.html", "experiment_id": "3", "run_id": "abc", "alerts": ["far off"]}
JOB = f"""
import json, os, pathlib
pathlib.Path(__file__).with_name("told.json").write_text(os.environ["RECSYS_STAGE_SECONDS"])
print(json.dumps({WRITTEN!r}))
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "job_report.py").write_text(JOB, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).resolve().parents[2]}")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.delenv("RECSYS_MLFLOW_URL", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """A server on this machine that takes what is posted to it."""
    told: list[Any] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("RECSYS_ALERT_URL", f"http://127.0.0.1:{server.server_port}/")
    yield told
    server.shutdown()


def context(crumbs: Any) -> dict[str, Any]:
    """What Airflow hands to a task; its own comes with a scheduler, which tests/e2e has."""
    ti = SimpleNamespace(get_task_breadcrumbs=crumbs, task_id="recommend.report", dag_id="nightly", run_id="r1")
    return {"ti": ti, "dag_run": SimpleNamespace(dag_id="nightly", run_id="r1"), "run_id": "r1"}


def finished(dag_id: str, run_id: str) -> list[dict[str, Any]]:
    assert (dag_id, run_id) == ("nightly", "r1")
    return [{"task_id": "ingest.dumps", "duration": 2.00049}, {"task_id": "train.floor", "duration": None}]


def lost(dag_id: str, run_id: str) -> list[dict[str, Any]]:
    raise RuntimeError("the API server is gone")


def ran(crumbs: Any, caplog: pytest.LogCaptureFixture) -> Any:
    from plugins.report_operator import ReportOperator

    task = ReportOperator(task_id="report", module="job_report")
    with caplog.at_level("INFO"):
        task.execute(context(crumbs))
    return task


def test_the_job_is_told_what_each_task_took(job: Path, caplog: pytest.LogCaptureFixture) -> None:
    ran(finished, caplog)
    assert json.loads((job / "told.json").read_text(encoding="utf-8")) == {"ingest.dumps": 2.0}


def test_without_airflow_s_times_there_is_a_report_all_the_same(job: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert ran(lost, caplog).summary == WRITTEN
    assert "the report goes without the tasks' times: the API server is gone" in caplog.text


def test_the_link_leads_to_the_page_in_mlflow(
    job: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plugins.report_operator import ReportLink, ReportOperator

    task, page = ran(finished, caplog), "/#/experiments/3/runs/abc/artifacts/night-2014-03-01.html"
    [link] = task.operator_extra_links
    assert link.get_link(task, ti_key=None) == f"http://127.0.0.1:5000{page}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example/")
    assert link.get_link(task, ti_key=None) == f"https://mlflow.example{page}"
    monkeypatch.setenv("RECSYS_MLFLOW_URL", "https://people.example")
    assert link.get_link(task, ti_key=None) == f"https://people.example{page}"
    assert ReportLink().get_link(ReportOperator(task_id="red", module="job_report"), ti_key=None) == ""


def test_drift_is_told_where_failures_are_told(job: Path, hook: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    from plugins.report_operator import alert_drift

    task = ran(finished, caplog)
    alert_drift({"task": SimpleNamespace(summary=task.summary, dag_id="nightly"), "run_id": "r1"})
    assert hook == [{"text": "nightly r1: drift: far off"}]
    alert_drift({"task": SimpleNamespace(summary={}, dag_id="nightly"), "run_id": "r1"})
    assert len(hook) == 1
