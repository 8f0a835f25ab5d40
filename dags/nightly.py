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

Nothing downstream of a red task runs, and the last published night stays as it is.

**A manual run**: *Trigger*, with a date; without one it means the run's logical date, and without that
yesterday (UTC). **A backfill**: `make backfill FROM=… TO=…`, from the UI or by
`airflow backfill create`, with the parameter `date` left empty.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import Asset, CronDataIntervalTimetable, Param, TaskGroup, dag

from plugins.alerts import say_failure
from plugins.job_operator import JobOperator
from plugins.report_operator import ReportOperator, say_drift
from plugins.run_date import run_date
from recsys_jobs.contracts import tables

DATE = "{{ run_date(dag_run, params) }}"
# On S3 Spark's Delta has no lock: there the stack names a pool with one slot, so that a backfill and a live night take turns
SPARK_WRITER = {"pool": os.environ.get("RECSYS_LAKE_POOL") or "default_pool"}
NO_RETRY = {"retries": 0}  # a verdict on data: the same data meets the same verdict


def job(name: str, module: str, *arguments: str, minutes: int, operator=JobOperator, **how) -> JobOperator:
    """One task: `python -m module --run-date D arguments`."""
    return operator(
        task_id=name,
        module=module,
        arguments=["--run-date", DATE, *arguments],
        execution_timeout=timedelta(minutes=minutes),
        **how,
    )


@dag(
    dag_id="nightly",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(1996, 1, 1),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["recommender"],
    default_args={
        "owner": "recommender",
        "max_active_tis_per_dag": 1,  # a backfill runs beside the live nights, and no task beside itself
        "retries": 2,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": True,
        "on_failure_callback": say_failure,
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
    recipe = "{{ '--recipe=' ~ params.recipe if params.recipe else '' }}"

    with TaskGroup("ingest") as ingest:
        go_on = "{{ '--allow-refused' if params.allow_refused else '' }}"
        job("dumps", "spark.ingest", go_on, minutes=240, **NO_RETRY, **SPARK_WRITER)

    with TaskGroup("validate") as validate:
        images = job("images", "recsys_jobs.images", minutes=240)
        images >> job("snapshots", "spark.snapshots", minutes=120, **NO_RETRY, **SPARK_WRITER)

    with TaskGroup("embed") as embed:
        encode = [
            job("text", "recsys_jobs.embed", "--modality=text", minutes=720, gpu=True),
            job("image", "recsys_jobs.embed", "--modality=image", minutes=720, gpu=True),
        ]
        encode >> job("gate", "expectations.gate", "embeddings", minutes=60, **NO_RETRY)

    with TaskGroup("train") as train:
        job("recipe", "recsys_jobs.night.train", recipe, minutes=720, gpu=True)
        job("floor", "recsys_jobs.night.train", "--floor", minutes=240, gpu=True)

    with TaskGroup("evaluate") as evaluate:
        job("gate", "recsys_jobs.night.evaluate", recipe, minutes=120)

    with TaskGroup("recommend") as recommend:
        fit = job("fit", "recsys_jobs.night.fit_serving", recipe, minutes=720, gpu=True)
        top_k = job("top_k", "recsys_jobs.night.top_k", recipe, minutes=240, gpu=True)
        published = [
            Asset(f"lake://{t.name}") for t in (tables.RECOMMENDATIONS, tables.SIMILAR_ITEMS, tables.POPULAR_ITEMS)
        ]
        publish = job("publish", "recsys_jobs.night.publish", recipe, minutes=120, outlets=published)
        how = {"operator": ReportOperator, "on_success_callback": say_drift}
        fit >> top_k >> publish >> job("report", "recsys_jobs.night.report", recipe, minutes=60, **how)

    ingest >> validate >> embed >> train >> evaluate >> recommend


nightly()
