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

Comparison = dict[str, list[TableDiff]]  # by the name of the home that is compared with the first


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
    command = [sys.executable, "-m", "recsys_jobs.commands.cli", *arguments]
    if subprocess.run(command, env=environment, check=False).returncode:
        raise JobError(f"recsys {' '.join(arguments)} in {home} failed: its lines are above")
    return time.monotonic() - began


def compare_lakes(first: Path, others: list[Path]) -> Comparison:
    """Compare the lake of each other home with the first's."""
    return {other.name: diff(first / LAKE, other / LAKE) for other in others}


def difference_table(comparison: Comparison) -> list[str]:
    """Return a line a table: its rows in the first lake, and how many keys differ in each of the others."""
    headings = " | ".join(f"{name} differs" for name in comparison)
    lines = [f"| table | rows | {headings} |", "|---" * (2 + len(comparison)) + "|"]
    for diffs in zip(*comparison.values(), strict=True):
        counts = [str(table.only_a + table.only_b + table.changed) for table in diffs]
        lines.append(f"| {diffs[0].table} | {diffs[0].rows_a} | {' | '.join(counts)} |")
    examples = [
        f"{name} {table.table}: {line}" for name, diffs in comparison.items() for table in diffs for line in table.first
    ]
    return [*lines, "", *examples] if examples else lines


def require_equal(comparison: Comparison) -> None:
    """JobError, naming home and table, where a lake differs from the first."""
    differing = [f"{name} {table.table}" for name, diffs in comparison.items() for table in diffs if table.differs]
    if differing:
        raise JobError(f"lakes differ that must be equal: {', '.join(differing)}")
