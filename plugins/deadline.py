"""The deadline on a night's slates: Airflow's own alert, which the scheduler checks and an executor rings.

`RECSYS_PUBLISH_WITHIN` is how many minutes a night may take from the moment it is queued. Without it there is none:
in Airflow 3.3 a run that has a deadline can neither be cleared (`clear_task_instances` takes the stored interval, a
dictionary, for seconds), so that a red task cannot be tried again and a backfill cannot run a date anew, nor be made
by `airflow dags test`.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference


def publish_deadline() -> DeadlineAlert | None:
    """The alert for the DAG, None unless it is asked for; ValueError where RECSYS_PUBLISH_WITHIN is no number.

    Airflow's deadline is on the whole run: the callback looks whether the slates stand (plugins/lateness.py).
    """
    minutes = float(os.environ.get("RECSYS_PUBLISH_WITHIN") or 0)
    if minutes == 0:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        callback=SyncCallback("plugins.lateness.alert_if_late"),
    )
