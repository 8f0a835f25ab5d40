"""Whether nights are at work: maintenance waits until none is."""

from __future__ import annotations

from typing import Any

NIGHTS = "nightly"  # the DAG


def no_running_nights(ti: Any) -> bool:
    """Whether no run of the nightly DAG is running or waiting its turn; a backfill's runs all wait from its start."""
    return int(ti.get_dr_count(dag_id=NIGHTS, states=["running", "queued"])) == 0
