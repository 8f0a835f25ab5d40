"""The exam of one night with and without the lists of other items, a crawl of unknown date.

    python -m proofs.also_bought --landing DIR --out DIR DATE

Two nights through Airflow, each in a home of its own under `--out`, that differ in `listed_edges` alone; the cuts and
the users examined are the same. Prints each recipe's figures, writes them to `<out>/also_bought.md`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from datetime import date
from pathlib import Path

import pyarrow.compute as pc

from proofs import homes
from recsys_jobs.contracts.errors import run_main
from recsys_jobs.contracts.settings import Settings, load_settings, parse_date
from recsys_jobs.contracts.tables import ITEM_EDGES, MODEL_METRICS
from recsys_jobs.evaluation.interval_text import interval_text
from recsys_jobs.lake import delta


def main() -> None:
    """Run both nights, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("date", type=parse_date)
    parser.add_argument("--landing", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    out, settings = args.out.absolute(), load_settings()
    lines = ["| edges | listed | recipe | users | NDCG | recall |", "|---|---|---|---|---|---|"]
    for name, listed in (("with", True), ("without", False)):
        changed = dataclasses.replace(settings, listed_edges=listed)
        configuration = write_settings(changed, out / f"{name}.toml")
        homes.run(out / name, args.landing, "night", str(args.date), configuration=configuration)
        lines += metric_rows(name, out / name / homes.LAKE, args.date, settings.k)
    report = "\n".join([f"The night of {args.date}, at {settings.k}, 95 % intervals", "", *lines])
    (out / "also_bought.md").write_text(report + "\n", encoding="utf-8")
    print(report)


def write_settings(settings: Settings, path: Path) -> Path:
    """Write a configuration as TOML: its values are all spelled as in JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = dataclasses.asdict(settings)
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()), encoding="utf-8")
    return path


def metric_rows(name: str, folder: Path, day: date, k: int) -> list[str]:
    """Return a line a recipe: what it reached with all examined users."""
    kinds = delta.read_date(ITEM_EDGES, day, ["kind"], folder)["kind"]
    listed = len(kinds) - (pc.sum(pc.equal(kinds, "co_review")).as_py() or 0)
    metrics = delta.read_date(MODEL_METRICS, day, lake=folder).to_pylist()
    rows = [row for row in metrics if (row["slice"], row["k"]) == ("all", k)]
    lines = []
    for recipe in sorted({row["recipe"] for row in rows}):
        by_metric = {row["metric"]: row for row in rows if row["recipe"] == recipe}
        ndcg, recall = by_metric["ndcg"], by_metric["recall"]
        cells = [interval_text(row["value"], row["low"], row["high"]) for row in (ndcg, recall)]
        lines.append(f"| {name} | {listed:,} | {recipe} | {ndcg['users']:,} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    run_main(main)
