"""Backfills of the same dates forward, in reverse and shuffled, into three lakes that must be equal.

    python -m proofs.orders --landing DIR --out DIR FROM TO [--seed 0]

Forward and reverse are one `recsys backfill` each, shuffled is one for each date. Then the forward range is run
again: nothing may be fitted, encoded or registered. Each order has a home of its own under `--out`, and what is done
there already is not done again. Prints the table, writes it to `<out>/orders.md`; exit status 1 where lakes differ.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable
from mlflow import MlflowClient

from proofs import homes
from recsys_jobs.contracts.errors import JobError, run_main
from recsys_jobs.contracts.settings import parse_date, registered_name
from recsys_jobs.contracts.tables import EMBEDDINGS
from recsys_jobs.lake.delta import dataset, table_path
from recsys_jobs.operations.airflow.backfill import BackfillOptions


@dataclass(frozen=True)
class HomeCounts:
    """What a home holds that a rerun may not add to, and whose model is champion."""

    runs: int
    versions: int
    vectors: int
    champion: str

    def __str__(self) -> str:
        return f"{self.runs} | {self.versions} | {self.vectors} | {self.champion}"


def main() -> None:
    """Run the orders, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=parse_date, metavar="FROM")
    parser.add_argument("last", type=parse_date, metavar="TO")
    parser.add_argument("--landing", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled order (default 0)")
    args = parser.parse_args()
    dates, out = BackfillOptions(args.first, args.last), args.out.absolute()
    lines = ["| order | seconds | runs in MLflow | versions | vectors | champion |", "|---|---|---|---|---|---|"]
    for order, backfills in arguments_by_order(dates, args.seed).items():
        seconds = sum(homes.run(out / order, args.landing, "backfill", *arguments) for arguments in backfills)
        lines.append(f"| {order} | {seconds:.0f} | {count_home(out / order)} |")
    before = count_home(out / "forward")
    seconds = homes.run(out / "forward", args.landing, "backfill", str(dates.first), str(dates.last), "--rerun")
    after = count_home(out / "forward")
    lines.append(f"| forward again | {seconds:.0f} | {after} |")
    comparison = homes.compare_lakes(out / "forward", [out / "reverse", out / "shuffled"])
    report = "\n".join([*lines, "", *homes.difference_table(comparison)])
    (out / "orders.md").write_text(report + "\n", encoding="utf-8")
    print(report)
    homes.require_equal(comparison)
    if before != after:
        raise JobError(f"a rerun left more behind than it found: {before} became {after}")


def arguments_by_order(dates: BackfillOptions, seed: int) -> dict[str, list[list[str]]]:
    """Return the arguments of each `recsys backfill` that an order consists of."""
    shuffled = random.Random(seed).sample(dates.days, len(dates.days))
    whole = [str(dates.first), str(dates.last)]
    return {
        "forward": [whole],
        "reverse": [[*whole, "--reverse"]],
        "shuffled": [[str(day), str(day)] for day in shuffled],
    }


def count_home(home: Path) -> HomeCounts:
    """Count the runs and versions of a home's MLflow and the vectors of its lake."""
    lake = home / homes.LAKE
    client = MlflowClient(f"sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(homes.LAKE)
    runs = client.search_runs([experiment.experiment_id], max_results=5000) if experiment else []
    name = registered_name(lake)
    numbers = [version.version for version in client.search_model_versions(f"name = '{name}'")]
    versions = [client.get_model_version(name, number) for number in numbers]
    champion = [version.tags["run_date"] for version in versions if "champion" in version.aliases]
    vectors = dataset(DeltaTable(table_path(EMBEDDINGS, lake))).count_rows()
    return HomeCounts(len(runs), len(versions), vectors, f"of {champion[0]}" if champion else "none")


if __name__ == "__main__":
    run_main(main)
