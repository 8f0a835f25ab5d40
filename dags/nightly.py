"""
# The night

Every night Airflow turns raw Amazon review dumps into validated Delta tables, embeds what is new,
retrains a multimodal recommender as of that date, publishes it only if it is no worse than a strong
floor, and hands SQL users a top-K table they can trust.

**A red task says what is wrong in the last line of its log, and what to do. Clearing it is always safe**:
a run replaces its own date in one commit a table, and what was done once is found and not done again.

| red task | usual reason | what to do |
|---|---|---|
| `ingest.dumps` | a landed file was refused (gzip cut short, too many bad lines) | the good files are in. Land the file again and clear the task; or trigger the night again with *go on without refused files* |
| `ingest.dumps` | a gate failed on `reviews` or `items` | the log names the expectation, sample rows and the data docs |
| `validate.images` | the network; hosts that do not answer are tried again the next night | clear it once the network is back |
| `validate.snapshots` | an empty k-core: too little data before the cut | lower `user_core` or `item_core` in the configuration that `RECSYS_CONFIG` names |
| `embed.*` | a model name that does not resolve, a damaged image store | as the log says |
| `train.*`, `recommend.fit` | out of memory, MLflow down | retried by itself; a fit resumes from its checkpoint |
| `evaluate.gate` | MLflow down | retried. A model that loses is not red: the night publishes the floor's slate and says so in `promotions` |
| `recommend.top_k`, `recommend.publish` | they fit nothing, and what the log of decisions wants by now is not fitted | clear `recommend.fit`, and what follows it |
| `recommend.publish` | the audit of the slates failed | yesterday's slates stand; the log names the expectation and rows |
| green, but the slates are wrong | | `recsys rollback`: the version before serves, and nights publish it until `recsys promote --release` |
| `recommend.report` | MLflow down | retried. The night is published; this is its report, and *Report of the night* on the task leads to it |

**A late night** rings as a red task does where `RECSYS_PUBLISH_WITHIN` is set: slates that are not published so many
minutes after the night was queued are told, with the stage that is slow against its usual time. In Airflow 3.3 a run
with a deadline cannot be cleared, so it is not set by itself.

Nothing downstream of a red task runs, and the last published night stays as it is.

**A manual run**: *Trigger*, with a date; without one it means the run's logical date, and without that
yesterday (UTC). **A backfill**: `make backfill FROM=… TO=…`, from the UI or by
`airflow backfill create`, with the parameter `date` left empty.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import Asset, CronDataIntervalTimetable, Param, TaskGroup, dag

from plugins.alerts import alert_failure
from plugins.deadline import publish_deadline
from plugins.job_operator import JobOperator
from plugins.report_operator import ReportOperator, alert_drift
from plugins.run_date import run_date
from recsys_jobs.contracts import tables
from recsys_jobs.contracts.night_steps import STEPS

DATE = "{{ run_date(dag_run, params) }}"
RECIPE = "{{ '--recipe=' ~ params.recipe if params.recipe else '' }}"
GO_ON = "{{ '--allow-refused' if params.allow_refused else '' }}"
# On S3 Spark's Delta has no lock: there the stack names a pool with one slot, so that a backfill and a live night take turns
SPARK_WRITER = {"pool": os.environ.get("RECSYS_LAKE_POOL") or "default_pool"}
PUBLISHED = [Asset(f"lake://{t.name}") for t in (tables.RECOMMENDATIONS, tables.SIMILAR_ITEMS, tables.POPULAR_ITEMS)]
NO_RETRY = {"retries": 0}  # a verdict on data: the same data meets the same verdict


def job(task: str, *arguments: str, operator=JobOperator, **how) -> JobOperator:
    """One task: `python -m module --run-date D arguments`, as recsys_jobs/contracts/night_steps.py has it."""
    step = STEPS[task]
    recipe = [RECIPE] if step.takes_recipe else []
    return operator(
        task_id=step.name,
        module=step.module,
        arguments=["--run-date", DATE, *step.arguments, *arguments, *recipe],
        execution_timeout=timedelta(minutes=step.minutes),
        gpu=step.gpu,
        **how,
    )


@dag(
    dag_id="nightly",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(1996, 1, 1),
    catchup=False,
    max_active_runs=1,
    deadline=publish_deadline(),
    doc_md=__doc__,
    tags=["recommender"],
    default_args={
        "owner": "recommender",
        "max_active_tis_per_dag": 1,  # a backfill runs beside the live nights, and no task beside itself
        "retries": 2,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": True,
        "on_failure_callback": alert_failure,
    },
    user_defined_macros={"run_date": run_date},
    params={
        "date": Param("", type=["string", "null"], title="Run date", description="YYYY-MM-DD; empty: the logical date"),
        "recipe": Param("", type=["string", "null"], title="Recipe", description="empty: the recipe in force"),
        "allow_refused": Param(False, type="boolean", title="Go on without refused files"),
    },
)
def nightly():
    """Ingest, validate, embed, train, evaluate, recommend."""
    with TaskGroup("ingest") as ingest:
        job("ingest.dumps", GO_ON, **NO_RETRY, **SPARK_WRITER)

    with TaskGroup("validate") as validate:
        job("validate.images") >> job("validate.snapshots", **NO_RETRY, **SPARK_WRITER)

    with TaskGroup("embed") as embed:
        [job("embed.text"), job("embed.image")] >> job("embed.gate", **NO_RETRY)

    with TaskGroup("train") as train:
        job("train.recipe")
        job("train.floor")

    with TaskGroup("evaluate") as evaluate:
        job("evaluate.gate")

    with TaskGroup("recommend") as recommend:
        fit, top_k = job("recommend.fit"), job("recommend.top_k")
        publish = job("recommend.publish", outlets=PUBLISHED)
        report = job("recommend.report", operator=ReportOperator, on_success_callback=alert_drift)
        fit >> top_k >> publish >> report

    ingest >> validate >> embed >> train >> evaluate >> recommend


nightly()
