"""Measures nights again, recipe by recipe, and pooled: `python -m proofs.real_nights LAKE DATE … [--models a,b]`.

Each night's question as the night asked it (fitted on the cut H, asked of (H, D]), its floor the one that validation
chose; fits that the night made are found in MLflow, others are made and kept there. A person may stand in several
nights: pooled intervals resample people, with all the nights of each. Differences are paired, by NDCG at the lake's K.
Besides everyone: people with one or two events against the floor, and new items ranked among themselves against both
popularities.

U people of a night, I items, T targets, N pairs of a person and a night, R resamples.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np

from proofs.pooled import pooled_means
from recsys_jobs.contracts.settings import Settings, load_settings, parse_date
from recsys_jobs.data.dataset import Bools, Dataset, Ints
from recsys_jobs.data.from_lake import load_dataset, load_holdout
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.bootstrap import Values
from recsys_jobs.evaluation.interval_text import interval_text
from recsys_jobs.evaluation.slices import FEW_EVENTS, new_items
from recsys_jobs.evaluation.top_k_evaluation import evaluate_top_k
from recsys_jobs.lake.cuts import exam_cut
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.promotion.floor import strongest_floor
from recsys_jobs.promotion.night_context import night_context
from recsys_jobs.registry.fits import Fit, exam_fit

POPULARITIES = ("popularity", "popularity_recent")
FLOOR = "the floor"


class Question(NamedTuple):
    """One slice of a night: its targets, what it leaves out of the ranking, what it is compared with."""

    holdout: Holdout
    blocked_items: Ints | None
    against: tuple[str, ...]


class SliceResult(NamedTuple):
    """One slice of a night, or of several: its people, each model's NDCG [N], and what it is compared with."""

    person_N: list[str]
    ndcg: dict[str, Values]
    against: tuple[str, ...]


def questions(dataset: Dataset, holdout: Holdout) -> dict[str, Question]:
    """Return a night's slices by name."""
    events_U = np.bincount(dataset.event_user_E, minlength=len(dataset.users))
    new_I = new_items(dataset)
    few_events = _targets_where(holdout, events_U[holdout.user_T] <= FEW_EVENTS)
    of_new_items = _targets_where(holdout, new_I[holdout.item_T])
    return {
        "everyone": Question(holdout, None, (FLOOR,)),
        "few events": Question(few_events, None, (FLOOR, *POPULARITIES)),
        "among new items": Question(of_new_items, np.flatnonzero(~new_I), POPULARITIES),
    }


def _targets_where(holdout: Holdout, in_slice_T: Bools) -> Holdout:
    return replace(holdout, user_T=holdout.user_T[in_slice_T], item_T=holdout.item_T[in_slice_T], rating_T=None)


def measure_night(run_date: date, names: list[str], settings: Settings) -> dict[str, SliceResult]:
    """Return what the models and the night's floor reach in each slice of one night."""
    cut, _ = exam_cut(run_date)
    context = night_context(run_date, settings)
    dataset, tags = load_dataset(cut, context.settings), context.tags(cut)
    floor = strongest_floor(dataset, settings, tags)
    fits = {FLOOR: floor}
    for name in names:
        fits[name] = exam_fit(dataset, get_recipe(name), settings.seed, tags)
    print(f"{run_date}: the floor is {floor.recipe.name}", flush=True)
    slices = questions(dataset, load_holdout(run_date, cut, dataset))
    return {name: _measure_slice(question, fits, dataset, settings.k) for name, question in slices.items()}


def _measure_slice(question: Question, fits: dict[str, Fit], dataset: Dataset, k: int) -> SliceResult:
    results = {
        name: evaluate_top_k(fit.model, dataset, question.holdout, k_values=[k], blocked_items=question.blocked_items)
        for name, fit in fits.items()
        if len(question.holdout.user_T)
    }
    users = next(iter(results.values())).user_U.tolist() if results else []
    ndcg = {name: result.per_user("ndcg", k) for name, result in results.items()}
    return SliceResult([dataset.users[user] for user in users], ndcg, question.against)


def pool_nights(nights: list[SliceResult]) -> SliceResult:
    """Return a slice's people of several nights, one night after the other; a night without any adds nothing."""
    with_people = [night for night in nights if night.person_N]
    persons = [person for night in with_people for person in night.person_N]
    models = with_people[0].ndcg if with_people else {}
    ndcg = {name: np.concatenate([night.ndcg[name] for night in with_people]) for name in models}
    return SliceResult(persons, ndcg, nights[0].against)


def table_rows(label: str, result: SliceResult) -> list[str]:
    """Return a slice as lines of a table: each model, its NDCG, and what it is ahead by, with intervals."""
    lines = []
    for name, ndcg_N in result.ndcg.items():
        others = [other for other in result.against if other != name]
        ahead = [f"{_pooled_interval(result.person_N, ndcg_N - result.ndcg[other], '+')} {other}" for other in others]
        figures = f"{len(ndcg_N)} | `{name}` | {_pooled_interval(result.person_N, ndcg_N)}"
        lines.append(f"| {label} | {figures} | {'; '.join(ahead)} |")
    return lines


def _pooled_interval(persons: list[str], value_N: Values, sign: str = "") -> str:
    _, person_N = np.unique(persons, return_inverse=True)
    mean_1, drawn_R1 = pooled_means(person_N, value_N[:, None])
    low, high = np.quantile(drawn_R1[:, 0], [0.025, 0.975])
    return interval_text(mean_1[0], low, high, sign)


def main() -> None:
    """Print the nights' slices, each by itself and pooled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake", type=Path, metavar="LAKE")
    parser.add_argument("dates", type=parse_date, nargs="+", metavar="DATE")
    parser.add_argument("--models", default="", help="recipes, comma-separated; else what nights fit")
    arguments = parser.parse_args()
    os.environ["RECSYS_LAKE"] = str(arguments.lake.absolute())
    settings = load_settings()
    names = list(dict.fromkeys([*(arguments.models or settings.recipe).split(","), *POPULARITIES]))
    nights = {day: measure_night(day, names, settings) for day in arguments.dates}
    print(f"| slice, night | people | model | NDCG@{settings.k} | ahead of |\n|---|---|---|---|---|")
    for slice_name in next(iter(nights.values())):
        by_night = {str(day): slices[slice_name] for day, slices in nights.items()}
        pooled = pool_nights(list(by_night.values()))
        for label, result in (by_night | {"pooled": pooled}).items():
            for row in table_rows(f"{slice_name}, {label}", result):
                print(row)


if __name__ == "__main__":
    main()
