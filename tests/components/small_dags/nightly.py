"""A night of one task, for tests of what runs nights: the DAG's name, its operator and its date are the real ones."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import CronDataIntervalTimetable, Param, dag

from plugins.deadline import publish_deadline
from plugins.job_operator import JobOperator
from plugins.run_date import run_date


@dag(
    dag_id="nightly",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(1996, 1, 1),
    catchup=False,
    max_active_runs=1,
    deadline=publish_deadline(),
    user_defined_macros={"run_date": run_date},
    params={
        "date": Param("", type=["string", "null"]),
        "recipe": Param("", type=["string", "null"]),
        "allow_refused": Param(False, type="boolean"),
    },
)
def nightly():
    JobOperator(
        task_id="whole",
        module="tests.components.small_night",
        arguments=["--run-date", "{{ run_date(dag_run, params) }}"],
    )


nightly()
