"""One night three times: on a zone that ends with its date, on the whole zone, and on one whose future is poisoned.

    python -m proofs.as_of --landing DIR --out DIR DATE

Whole nights through Airflow, each in a home of its own under `--out`; all date-keyed tables must be equal: snapshots,
metrics, decisions, slates. Prints the table, writes it to `<out>/as_of.md`; exit status 1 where lakes differ.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from proofs import homes
from proofs.zones import cut_zone, poison_zone
from recsys_jobs.contracts.errors import run_main
from recsys_jobs.contracts.settings import parse_date


def main() -> None:
    """Run the nights, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("date", type=parse_date)
    parser.add_argument("--landing", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    out, landing = args.out.absolute(), args.landing.absolute()
    zones = {
        "known": cut_zone(landing, args.date, out / "known" / "landing"),
        "whole": landing,
        "poisoned": poison_zone(landing, args.date, out / "poisoned" / "landing"),
    }
    for name, zone in zones.items():
        homes.run(out / name, zone, "night", str(args.date))
    comparison = homes.compare_lakes(out / "known", [out / "whole", out / "poisoned"])
    report = "\n".join([f"The night of {args.date}", "", *homes.difference_table(comparison)])
    (out / "as_of.md").write_text(report + "\n", encoding="utf-8")
    print(report)
    homes.require_equal(comparison)


if __name__ == "__main__":
    run_main(main)
