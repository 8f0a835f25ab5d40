"""The demo: sample dumps, two consecutive nights of the real DAG, and a summary."""

from __future__ import annotations

import os
import re
from pathlib import Path

from recsys_jobs.contracts.settings import var_dir
from recsys_jobs.operations.airflow.night_runner import Night, run_night
from recsys_jobs.sample.dates import DEFAULT_USERS, FIRST_NIGHT, SECOND_NIGHT
from recsys_jobs.sample.landing import write

_ENCODED = re.compile(r"embed (text|image): needed=(\d+) known=(\d+) encoded=(\d+)")

_METRICS = """
    SELECT run_date, recipe, metric || '@' || k AS metric, round(value, 4) AS value,
           round(low, 4) AS low, round(high, 4) AS high, users
    FROM model_metrics
    WHERE protocol = 'global_time' AND slice = 'all' AND metric IN ('ndcg', 'recall', 'coverage')
    ORDER BY run_date, metric, value DESC
"""

_DECISIONS = (
    "SELECT effective_date, decision, publishes, reason FROM promotions WHERE kind = 'gate' ORDER BY effective_date"
)


def run_demo() -> None:
    """Run the demo under `var/demo`. What it did before is found, not done again."""
    home = var_dir() / "demo"
    _at_home(home)
    nights = []
    for day in (FIRST_NIGHT, SECOND_NIGHT):
        print(f"\n=== dumps up to {day} land, and the night of {day} begins", flush=True)
        print(write(home / "landing", DEFAULT_USERS, seed=0, until=day), flush=True)
        nights.append(run_night(day))
    _sum_up(nights, home)


def _at_home(home: Path) -> None:
    """Point every place at the demo's own folder, whatever the environment says: it must not touch a real lake."""
    os.environ.update(
        RECSYS_VAR=str(home),
        RECSYS_LANDING=str(home / "landing"),
        RECSYS_LAKE=str(home / "demo-lake"),
        RECSYS_CONFIG="demo",
        RECSYS_SPARK_JAVA_OPTIONS="-XX:TieredStopAtLevel=1",  # quick to start, for a few thousand rows
        MLFLOW_TRACKING_URI=f"sqlite:///{home / 'mlflow' / 'mlflow.db'}",
    )


def _sum_up(nights: list[Night], home: Path) -> None:
    from recsys_jobs.commands.show.slate import show_slate
    from recsys_jobs.lake.sql import show

    print("\n=== time by step, in seconds (the second night reads and encodes only what is new)")
    _print_times(nights)
    print("\n=== encoded per night")
    for night in nights:
        print(f"  {night.run_date}  {', '.join(_encoded(night))}")
    print("\n=== the exam: full ranking on the holdout, 95 % bootstrap intervals")
    show(_METRICS)
    print("=== what the gate decided")
    show(_DECISIONS)
    print("=== a slate")
    show_slate()
    print(_WHERE_NEXT.format(home=home))


def _print_times(nights: list[Night]) -> None:
    names = [task.task for task in nights[0].tasks]
    columns = [{task.task: task.seconds for task in night.tasks} for night in nights]
    print(f"  {'':<22}" + "".join(f"{night.run_date!s:>12}" for night in nights))
    for name in names:
        print(f"  {name:<22}" + "".join(f"{column.get(name, 0.0):>12.1f}" for column in columns))
    print(f"  {'all':<22}" + "".join(f"{sum(column.values()):>12.1f}" for column in columns))


def _encoded(night: Night) -> list[str]:
    found = [_ENCODED.search(line) for task in night.tasks for line in task.lines]
    return [f"{m[1]}s: {m[4]} of {m[2]} needed" for m in found if m]


_WHERE_NEXT = """
=== where to look next
  RECSYS_VAR={home} RECSYS_LAKE={home}/demo-lake MLFLOW_TRACKING_URI=sqlite:///{home}/mlflow/mlflow.db
  with these in the environment:
    make sql Q="select * from recommendations_latest limit 20"
    make show WHO=<user_id>         another user's slate
    make ui                         Airflow, MLflow and the data docs in the browser
  the night's report:               {home}/reports/
  the gates' data docs:             {home}/data_docs/
  your own dumps:                   make nightly DATE=2014-03-01 LANDING=dir
"""
