"""Homes for proofs: folders with a lake, an Airflow and an MLflow of their own; and how their lakes differ."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.operations.lake_diff import TableDiff, diff

LAKE = "shop"  # the same name in every home

Compared = dict[str, list[TableDiff]]  # by the name of the home that is held against the first


def run(home: Path, landing: Path, *arguments: str, configuration: Path | None = None) -> float:
    """Run `recsys *arguments` in a home and return its seconds; JobError where it does not end well.

    `configuration` is a TOML file instead of the one that RECSYS_CONFIG names.
    """
    began = time.monotonic()
    print(f"=== {home.name}: recsys {' '.join(arguments)}", flush=True)
    places = {"RECSYS_VAR": home, "RECSYS_LAKE": home / LAKE, "RECSYS_LANDING": landing.absolute()}
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    environment |= {name: str(place) for name, place in places.items()}
    environment |= {"RECSYS_CONFIG": str(configuration)} if configuration else {}
    if subprocess.run(
        [sys.executable, "-m", "recsys_jobs.commands.cli", *arguments], env=environment, check=False
    ).returncode:
        raise JobError(f"recsys {' '.join(arguments)} in {home} failed: its lines are above")
    return time.monotonic() - began


def compare(first: Path, others: list[Path]) -> Compared:
    """Hold the lake of each other home against the first's."""
    return {other.name: diff(first / LAKE, other / LAKE) for other in others}


def table(compared: Compared) -> list[str]:
    """A line a table: its rows in the first lake, and how many keys differ in each of the others."""
    lines = [
        f"| table | rows | {' | '.join(f'{name} differs' for name in compared)} |",
        "|---" * (2 + len(compared)) + "|",
    ]
    for found in zip(*compared.values(), strict=True):
        differing = [str(one.only_a + one.only_b + one.changed) for one in found]
        lines.append(f"| {found[0].table} | {found[0].rows_a} | {' | '.join(differing)} |")
    first = [f"{name} {one.table}: {line}" for name, found in compared.items() for one in found for line in one.first]
    return [*lines, "", *first] if first else lines


def demand_equal(compared: Compared) -> None:
    """JobError, naming home and table, where a lake differs from the first."""
    differing = [f"{name} {one.table}" for name, found in compared.items() for one in found if one.differs]
    if differing:
        raise JobError(f"lakes differ that must be equal: {', '.join(differing)}")
