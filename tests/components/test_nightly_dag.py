"""The nightly DAG as Airflow reads it: quick to parse, the listed steps in their order, each with what it needs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from recsys_jobs.contracts.night_steps import STEPS
from recsys_jobs.contracts.settings import ROOT

pytestmark = pytest.mark.slow

SHOW = """
import json, sys
import nightly
dag = nightly.nightly()
heavy = ("torch", "numpy", "pyarrow", "pyspark", "mlflow", "great_expectations", "deltalake")
print(json.dumps({
    "heavy": [module for module in heavy if module in sys.modules],
    "doc": dag.doc_md,
    "tasks": {
        task.task_id: {
            "command": [task.module, *task.arguments], "minutes": task.execution_timeout.total_seconds() / 60,
            "gpu": task.gpu, "retries": task.retries, "after": sorted(task.upstream_task_ids),
            "outlets": [outlet.uri for outlet in task.outlets], "operator": type(task).__name__,
        }
        for task in dag.topological_sort()
    },
}))
"""
DATE = "{{ run_date(dag_run, params) }}"
RECIPE = "{{ '--recipe=' ~ params.recipe if params.recipe else '' }}"


@pytest.fixture(scope="module")
def dag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    environment = os.environ | {"AIRFLOW_HOME": str(home), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'dags'}"}
    done = subprocess.run([sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=True)
    shown: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return shown


def test_it_is_quick_to_parse(dag: dict[str, Any]) -> None:
    assert dag["heavy"] == []


def test_its_tasks_are_the_listed_steps_each_after_some_of_those_before(dag: dict[str, Any]) -> None:
    places = {task: place for place, task in enumerate(STEPS)}
    assert set(dag["tasks"]) == set(STEPS)
    for task, shown in dag["tasks"].items():
        assert all(places[before] < places[task] for before in shown["after"])
        assert shown["after"] or task == "ingest.dumps"


def test_the_tail_is_one_line(dag: dict[str, Any]) -> None:
    tail = ["evaluate.gate", "recommend.fit", "recommend.top_k", "recommend.publish", "recommend.report"]
    assert [dag["tasks"][task]["after"] for task in tail[1:]] == [[before] for before in tail[:-1]]


def test_a_task_calls_its_step_for_the_run_s_date_and_recipe(dag: dict[str, Any]) -> None:
    for task, step in STEPS.items():
        shown, recipe = dag["tasks"][task], [RECIPE] if step.takes_recipe else []
        go_on = ["{{ '--allow-refused' if params.allow_refused else '' }}"] if task == "ingest.dumps" else []
        assert shown["command"] == step.command(DATE, *go_on, *recipe)
        assert (shown["minutes"], shown["gpu"]) == (step.minutes, step.gpu)


def test_a_verdict_on_data_is_not_asked_for_twice(dag: dict[str, Any]) -> None:
    once = [task for task, shown in dag["tasks"].items() if shown["retries"] == 0]
    assert once == ["ingest.dumps", "validate.snapshots", "embed.gate"]


def test_publishing_says_which_tables_are_new_and_the_report_has_its_own_operator(dag: dict[str, Any]) -> None:
    outlets = {task: shown["outlets"] for task, shown in dag["tasks"].items() if shown["outlets"]}
    tables = ("recommendations", "similar_items", "popular_items")
    assert outlets == {"recommend.publish": [f"lake://{table}/" for table in tables]}
    operators = {shown["operator"] for task, shown in dag["tasks"].items() if task != "recommend.report"}
    assert (operators, dag["tasks"]["recommend.report"]["operator"]) == ({"JobOperator"}, "ReportOperator")


def test_its_page_names_no_task_that_is_not_there(dag: dict[str, Any]) -> None:
    named = re.findall(r"`((?:ingest|validate|embed|train|evaluate|recommend)\.\w+)`", dag["doc"])
    assert named and set(named) <= set(STEPS)
