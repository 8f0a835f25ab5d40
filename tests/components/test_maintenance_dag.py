"""The maintenance DAG as Airflow reads it: quick to parse, and in the order its own page says."""

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
import maintenance
dag = maintenance.maintenance()
heavy = [m for m in ("torch", "pyspark", "mlflow", "great_expectations", "deltalake") if m in sys.modules]
order = [task.task_id for task in dag.topological_sort()]
print(json.dumps({"order": order, "heavy": heavy, "runs": dag.max_active_runs, "doc": dag.doc_md}))
"""


def test_it_waits_then_drops_then_joins_then_removes(tmp_path: Path) -> None:
    environment = os.environ | {"AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'dags'}"}
    done = subprocess.run([sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["order"] == ["wait", "landed", "snapshots", "embeddings", "compact", "vacuum", "models"]
    assert " >> ".join(found["order"]) in found["doc"]
    assert found["heavy"] == []
    assert found["runs"] == 1
