"""
# Maintenance

Once a week the lake is brought within its retention: `wait >> landed >> snapshots >> embeddings >> compact >> vacuum >> models`.

| task | does | setting |
|---|---|---|
| `wait` | waits until no run of `nightly` is running or queued, a backfill's among them; after six hours it gives up for this week, and all tasks are skipped | |
| `landed` | hashes every landed file that was read; one that changed while its size and times did not is read anew by the next night | |
| `snapshots` | drops the cuts that no kept night reads, and that were not written of late | `snapshot_days`, `settle_days` |
| `embeddings` | drops vectors and stored images whose content no table names any more | `settle_days` |
| `compact` | joins small files | |
| `vacuum` | removes files and log entries that no promised version needs | `time_travel_days` |
| `models` | archives (marks) registered versions that nothing serves | `model_versions` |

**Clearing any task is safe**, and so is running this while people read: a file goes only when no version of the last
`time_travel_days` names it. A night that starts meanwhile waits at its next step until the task at work here is done; a
task here waits up to an hour for a running step, then fails with a line that says so. By hand:
`recsys maintain --dry-run`, then `recsys maintain`. What is kept, and how to forget a person: `docs/retention.md`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from plugins.alerts import alert_failure
from plugins.job_operator import JobOperator
from plugins.no_running_nights import no_running_nights


def job(step: str) -> JobOperator:
    """One task: `python -m recsys_jobs.operations.retention step`."""
    return JobOperator(
        task_id=step,
        module="recsys_jobs.operations.retention",
        arguments=[step],
        execution_timeout=timedelta(hours=6),
    )


@dag(
    dag_id="maintenance",
    schedule=CronTriggerTimetable("0 12 * * 0", timezone="UTC"),
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["recommender"],
    default_args={"owner": "recommender", "retries": 1, "on_failure_callback": alert_failure},
)
def maintenance():
    """Wait for the nights, then drop, join, remove, archive."""

    @task.sensor(poke_interval=300, timeout=6 * 3600, mode="reschedule", soft_fail=True)
    def wait(ti=None) -> bool:
        """Wait until no night runs or is queued."""
        return no_running_nights(ti)

    landed = JobOperator(task_id="landed", module="spark.rehash", execution_timeout=timedelta(hours=6))
    wait() >> landed >> job("snapshots") >> job("embeddings") >> job("compact") >> job("vacuum") >> job("models")


maintenance()
