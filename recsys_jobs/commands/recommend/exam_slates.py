"""What the recipes that a night held against each other would show, as JSON for the pages.

`python -m recsys_jobs.commands.recommend.exam_slates --run-date D (--user=ID | --sample=N)`. Each recipe's slates are
those of its exam fit, at the cut before the holdout, so that all know the same and can be held against what people
went on to take. The last line of output is an object: `cut`, `recipes` (role, name, `slates` by person, items in order
of rank) and `taken`, by person the items of the holdout.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from datetime import date
from typing import Any

import numpy as np
import pyarrow.compute as pc

from recsys_jobs.contracts.errors import JobError, UsageError, run_main
from recsys_jobs.contracts.settings import parse_date
from recsys_jobs.contracts.tables import INTERACTIONS
from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake import delta
from recsys_jobs.lake.cuts import exam_cut
from recsys_jobs.lake.lineage import Publication, load_publication
from recsys_jobs.promotion import decision_log
from recsys_jobs.ranking.top_k import top_k
from recsys_jobs.registry import mlflow_client
from recsys_jobs.registry.fits import EXAM, fit_of_run

_CHALLENGERS = 3  # of one night, the last


def exam_slates(publication: Publication, user: str | None, sample: int = 0) -> dict[str, Any]:
    """The JSON object for one person, or for so many of all; UsageError where the person was not there yet."""
    with delta.pinned(publication.delta_versions):
        cut, _ = exam_cut(publication.run_date)
        dataset = load_dataset(cut, publication.settings)
    rows = _rows_of(dataset, user, sample, cut)
    recipes = [
        {"role": role, "name": name, "slates": _slates(run_id, dataset, rows, publication.settings.k)}
        for role, name, run_id in _judged_fits(publication.run_date)
    ]
    taken = _taken(publication.run_date, cut, [dataset.users[row] for row in rows])
    return {"cut": str(cut), "recipes": recipes, "taken": taken}


def _rows_of(dataset: Dataset, user: str | None, sample: int, cut: date) -> Ints:
    if user is None:
        return np.unique(np.linspace(0, len(dataset.users) - 1, min(sample, len(dataset.users))).astype(np.int64))
    if user not in dataset.users:
        raise UsageError(f"user {user!r} had nothing by {cut}, when the recipes were measured")
    return np.array([dataset.users.index(user)], np.int64)


def _judged_fits(night: date) -> list[tuple[str, str, str]]:
    """Role, recipe and MLflow run of each exam fit that a decision of the night names; JobError where there is none."""
    decisions = decision_log.all_rows()
    gates = [row for row in decisions if row["kind"] == "gate" and row["effective_date"] == night][-1:]
    fits = [("judged", row["recipe"], row["model_fingerprint"]) for row in gates]
    fits += [("floor", row["floor"], row["floor_fingerprint"]) for row in gates]
    challenges = [row for row in decisions if row["kind"] == "challenge" and _night_of(row) == str(night)][
        -_CHALLENGERS:
    ]
    fits += [("challenger", row["recipe"], row["model_fingerprint"]) for row in challenges]
    runs = [(role, name, mlflow_client.find_run(fingerprint, EXAM)) for role, name, fingerprint in fits if fingerprint]
    found = [(role, str(name), str(run.info.run_id)) for role, name, run in runs if run is not None]
    if not found:
        raise JobError(f"MLflow keeps no exam fit of the night of {night}: make nightly DATE={night} makes them again")
    return found


def _night_of(challenge: decision_log.Row) -> str:
    """The night whose cuts a challenge was measured on; it takes effect from the next one on."""
    return str(json.loads(challenge["lineage"] or "{}").get("night", ""))


def _slates(run_id: str, dataset: Dataset, rows: Ints, k: int) -> dict[str, list[str]]:
    model = fit_of_run(run_id, dataset).model
    return {
        dataset.users[user]: [dataset.items[item] for item in item_K[:count]]
        for block in top_k(model, dataset, k, users=rows)
        for user, item_K, _, count in zip(*block, strict=True)
    }


def _taken(night: date, cut: date, users: list[str]) -> dict[str, list[str]]:
    """What these people took between the cut and the end of the night."""
    was, had = _pairs(cut, users), _pairs(night, users)
    return {user: sorted(had.get(user, set()) - was.get(user, set())) for user in users}


def _pairs(cut: date, users: list[str]) -> dict[str, set[str]]:
    of_users = (pc.field("as_of") == pc.scalar(cut)) & pc.field("user_id").isin(users)
    items: dict[str, set[str]] = {}
    for row in delta.read(INTERACTIONS, of_users, ["user_id", "item_id"]).to_pylist():
        items.setdefault(row["user_id"], set()).add(row["item_id"])
    return items


def main() -> None:
    """The program's command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run-date", required=True, help="the night's date, YYYY-MM-DD")
    people = parser.add_mutually_exclusive_group(required=True)
    people.add_argument("--user", help="one person's id")
    people.add_argument("--sample", type=int, default=0, help="so many people")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    publication = load_publication(parse_date(arguments.run_date))
    print(json.dumps(exam_slates(publication, arguments.user, arguments.sample)))


if __name__ == "__main__":
    run_main(main)
