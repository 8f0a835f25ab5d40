"""Prints how two lakes differ: `recsys diff LAKE_A LAKE_B [--date D]`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.operations.lake_diff import diff


def show(lake_a: Path, lake_b: Path, day: date | None = None) -> None:
    """Print the comparison; JobError, naming the tables, where the lakes differ."""
    found = diff(lake_a, lake_b, day)
    print(f"A  {lake_a}\nB  {lake_b}\n")
    print(f"{'table':18}{'rows in A':>12}{'rows in B':>12}{'only in A':>12}{'only in B':>12}{'changed':>10}")
    for one in found:
        counts = (one.rows_a, one.rows_b, one.only_a, one.only_b, one.changed)
        print(f"{one.table:18}" + "".join(f"{n:>{w},}" for n, w in zip(counts, (12, 12, 12, 12, 10), strict=True)))
    print()
    for one in found:
        for line in one.first:
            print(f"{one.table}: {line}")
    differing = [one.table for one in found if one.differs]
    if differing:
        raise JobError(f"the lakes differ in {', '.join(differing)}")
    print("equal")
