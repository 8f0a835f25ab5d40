"""The demo: sample dumps, two consecutive nights of the real DAG, and a summary."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from recsys_jobs.contracts.settings import var_dir
from recsys_jobs.operations.airflow.night_runner import Night, run_night
from recsys_jobs.sample.dates import DEFAULT_USERS, FIRST_NIGHT, SECOND_NIGHT

NAME, WHAT = "demo", "make the sample dumps, run two nights on them through Airflow, and sum up"
MORE = "Everything goes under var/demo; a second call finds what the first one did."

_EMBED_LINE = re.compile(r"embed (text|image): needed=(\d+) known=(\d+) encoded=(\d+)")

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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`recsys demo` takes no arguments."""


def run(arguments: argparse.Namespace) -> None:
    """Run the demo under `var/demo`. What it did before is found, not done again."""
    from recsys_jobs.sample.landing import write

    home = var_dir() / "demo"
    set_environment(home)
    nights = []
    for day in (FIRST_NIGHT, SECOND_NIGHT):
        print(f"\n=== dumps up to {day} land, and the night of {day} begins", flush=True)
        print(write(home / "landing", DEFAULT_USERS, seed=0, until=day), flush=True)
        nights.append(run_night(day))
    _print_summary(nights, home)


def set_environment(home: Path) -> None:
    """Point every place at the demo's own folder, whatever the environment says: it must not touch a real lake."""
    os.environ.update(
        RECSYS_VAR=str(home),
        RECSYS_LANDING=str(home / "landing"),
        RECSYS_LAKE=str(home / "demo-lake"),
        RECSYS_CONFIG="demo",
        RECSYS_SPARK_JAVA_OPTIONS="-XX:TieredStopAtLevel=1",  # quick to start, for a few thousand rows
        MLFLOW_TRACKING_URI=f"sqlite:///{home / 'mlflow' / 'mlflow.db'}",
    )


def _print_summary(nights: list[Night], home: Path) -> None:
    from recsys_jobs.commands.show.slate import show_slate
    from recsys_jobs.lake.sql import show

    print("\n=== time by step, in seconds (the second night reads and encodes only what is new)")
    print_times({str(night.run_date): night for night in nights})
    print("\n=== encoded per night")
    for night in nights:
        print(f"  {night.run_date}  {', '.join(_encoded_counts(night))}")
    print("\n=== the exam: full ranking on the holdout, 95 % bootstrap intervals")
    show(_METRICS)
    print("=== what the gate decided")
    show(_DECISIONS)
    print("=== a slate")
    show_slate()
    print(_WHERE_NEXT.format(home=home))


def print_times(nights: dict[str, Night]) -> None:
    """Print each task's seconds, a row a task, a column a night under its name."""
    seconds_by_night = [{task.task: task.seconds for task in night.tasks} for night in nights.values()]
    print(f"  {'':<22}" + "".join(f"{name:>12}" for name in nights))
    for task in seconds_by_night[0]:
        print(f"  {task:<22}" + "".join(f"{seconds.get(task, 0.0):>12.1f}" for seconds in seconds_by_night))
    print(f"  {'all':<22}" + "".join(f"{sum(seconds.values()):>12.1f}" for seconds in seconds_by_night))


def _encoded_counts(night: Night) -> list[str]:
    matches = [_EMBED_LINE.search(line) for task in night.tasks for line in task.lines]
    return [f"{match[1]}s: {match[4]} of {match[2]} needed" for match in matches if match]


_WHERE_NEXT = """
=== where to look next
  RECSYS_VAR={home} RECSYS_LAKE={home}/demo-lake MLFLOW_TRACKING_URI=sqlite:///{home}/mlflow/mlflow.db
  with these in the environment:
    make sql Q="select * from recommendations_latest limit 20"
    make show WHO=<user_id>         another user's slate
    make ui                         all of it in the browser: people, slates with pictures, and why
  the night's report:               {home}/reports/
  the gates' data docs:             {home}/data_docs/
  your own dumps:                   make nightly DATE=2014-03-01 LANDING=dir
"""
