"""Maintenance waits for nights, and for those that a backfill has queued."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.no_running_nights import no_running_nights


class Runs:
    """What Airflow hands a task, as far as counting runs goes."""

    def __init__(self, **states: int) -> None:
        self.states = states

    def get_dr_count(self, dag_id: str, states: list[str]) -> int:
        assert dag_id == "nightly"
        return sum(count for state, count in self.states.items() if state in states)


@pytest.mark.parametrize(
    ("runs", "is_quiet"),
    [({"success": 9, "failed": 2}, True), ({"running": 1}, False), ({"success": 1, "queued": 30}, False)],
)
def test_it_is_quiet_when_nothing_runs_or_waits(runs: Any, is_quiet: bool) -> None:
    assert no_running_nights(Runs(**runs)) is is_quiet
