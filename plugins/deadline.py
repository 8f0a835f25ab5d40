"""The deadline on a night's slates: Airflow's own alert, which the scheduler checks and an executor rings.

`RECSYS_PUBLISH_WITHIN` is how many minutes a night may take from the moment it is queued, six hours without it, and 0
for no deadline: `airflow dags test` cannot run a DAG that has one, and no scheduler would look.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

_MINUTES = "360"


def publish_deadline() -> DeadlineAlert | None:
    """The alert for the DAG; ValueError where RECSYS_PUBLISH_WITHIN is no number.

    Airflow's deadline is on the whole run: the callback looks whether the slates stand (plugins/lateness.py).
    """
    minutes = float(os.environ.get("RECSYS_PUBLISH_WITHIN") or _MINUTES)
    if minutes == 0:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        callback=SyncCallback("plugins.lateness.alert_if_late"),
    )
