"""The bake-off's DAG as Airflow reads it: quick to parse, weekly, one mapped fit a recipe, of the day before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recsys_jobs.contracts.settings import ROOT

pytestmark = pytest.mark.slow

SHOW = """
import json, sys
import bakeoff
from airflow.sdk.definitions.mappedoperator import MappedOperator
dag = bakeoff.bakeoff()
heavy = [m for m in ("torch", "pyspark", "mlflow", "great_expectations", "deltalake") if m in sys.modules]
tasks = dag.topological_sort()
print(json.dumps({
    "order": [task.task_id for task in tasks],
    "mapped": [task.task_id for task in tasks if isinstance(task, MappedOperator)],
    "modules": [task.module for task in tasks if task.task_id in ("plan", "rank", "confirm")],
    "from": sorted(dag.get_task("fit").upstream_task_ids),
    "cron": dag.timetable.expression, "hours": dag.timetable.interval.total_seconds() / 3600,
    "heavy": heavy, "runs": dag.max_active_runs, "doc": dag.doc_md,
}))
"""


def test_it_waits_plans_fits_each_ranks_and_confirms(tmp_path: Path) -> None:
    environment = os.environ | {"AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'dags'}"}
    done = subprocess.run([sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["order"] == ["wait", "plan", "fit", "rank", "confirm"]
    assert " >> ".join(found["order"]) in found["doc"]
    assert (found["mapped"], found["from"]) == (["fit"], ["plan"])
    assert found["modules"] == [f"recsys_jobs.challenges.bakeoff.{step}" for step in ("plan", "rank", "confirm")]
    assert (found["cron"], found["hours"]) == ("0 6 * * 0", 24)
    assert found["heavy"] == []
    assert found["runs"] == 1
