"""
# Bake-off

Once a week every eligible recipe is fitted on the same cut, ranked, and the best is confirmed on a later window:
`wait >> plan >> fit >> rank >> confirm`.

| task | does | red, usually because |
|---|---|---|
| `wait` | waits until no night runs or is queued; after six hours it gives up for this week, and all tasks are skipped | |
| `plan` | names the recipes and the two windows | the night of the date, or the one it ranks on, did not run: run it and clear the task |
| `fit` | one mapped task a recipe: its exam fit on the cut of the ranking window. A recipe that cannot fit this data is green, and skipped with its reason in the table | out of memory, MLflow down: retried |
| `rank` | every pair on the same users, Holm's correction; the table is in `model_metrics` and MLflow | the recipe in force cannot be fitted |
| `confirm` | one challenge of the recipe in force by the best, on the later window; if it passes, nights fit it from the next one on | |

**Clearing any task is safe**: fits are found by fingerprint, rows are replaced by date. No alias moves here; the next
night's gate decides on what is published. By hand: `recsys bakeoff DATE`. What the words mean: `docs/bakeoff.md`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import CronTriggerTimetable, Param, dag, task

from plugins.alerts import alert_failure
from plugins.job_operator import JobOperator
from plugins.no_running_nights import no_running_nights
from plugins.plan_operator import PlanOperator
from plugins.run_date import run_date

ARGUMENTS = [
    "--run-date",
    "{{ run_date(dag_run, params) }}",
    "{{ '--recipes=' ~ params.recipes if params.recipes else '' }}",
]


def job(step: str, hours: int, operator=JobOperator, **options) -> JobOperator:
    """One task: `python -m recsys_jobs.challenges.bakeoff.step --run-date D [--recipes=A,B]`."""
    module = f"recsys_jobs.challenges.bakeoff.{step}"
    return operator(
        task_id=step, module=module, arguments=ARGUMENTS, execution_timeout=timedelta(hours=hours), **options
    )


@dag(
    dag_id="bakeoff",
    # on Sunday, of Saturday: the night of Saturday has started at midnight, and `wait` waits for its end
    schedule=CronTriggerTimetable("0 6 * * 0", timezone="UTC", interval=timedelta(days=1)),
    start_date=datetime(1996, 1, 1),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["recommender"],
    default_args={
        "owner": "recommender",
        "retries": 2,
        "retry_delay": timedelta(minutes=2),
        "on_failure_callback": alert_failure,
    },
    user_defined_macros={"run_date": run_date},
    params={
        "date": Param(
            "", type=["string", "null"], title="Date", description="a night that has run; empty: the last one"
        ),
        "recipes": Param(
            "", type=["string", "null"], title="Recipes", description="comma between; empty: as configured"
        ),
    },
)
def bakeoff():
    """Wait for the nights; plan, fit each recipe, rank, confirm."""

    @task.sensor(poke_interval=300, timeout=6 * 3600, mode="reschedule", soft_fail=True)
    def wait(ti=None) -> bool:
        """Wait until no night runs or is queued."""
        return no_running_nights(ti)

    plan = job("plan", 1, PlanOperator)
    fit = JobOperator.partial(
        task_id="fit",
        module="recsys_jobs.challenges.bakeoff.fit",
        gpu=True,
        execution_timeout=timedelta(hours=12),
        max_active_tis_per_dag=1,  # fits side by side on one machine take longer than one after another
        map_index_template="{{ task.arguments[-1] }}",
    ).expand(arguments=plan.output)

    wait() >> plan >> fit >> job("rank", 4, gpu=True) >> job("confirm", 12, gpu=True)


bakeoff()
