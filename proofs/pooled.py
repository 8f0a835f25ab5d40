"""Measures all families on a shop over dates fixed in advance: `python -m proofs.pooled LAKE --date D [--models a,b]`.

At each first of March from 2002 to 2013 a model learns from what was before it, selected by the last tenth of
that, and is asked for what people took in the year that follows. Everything is learned from: in the first years
no core of five is left. Pages that list other items (also_bought) bear no date, so every date has them; each
recipe that has a graph is asked without them too. A person's years are no independent draws: intervals resample
people, with all the years of each, and the differences from `ease_text` are corrected by Holm.

E events, K edges, U people, N pairs of a person and a year, M models, C columns (the models, then the number of
pairs), R resamples.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from proofs.fit_and_examine import fit_and_examine
from recsys_jobs.challenges.bakeoff.ranking import holm
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings, load_settings, parse_date
from recsys_jobs.contracts.tables import ITEM_EDGES
from recsys_jobs.data.dataset import Bools, Dataset, Floats, Ints
from recsys_jobs.data.readers import lake_cut
from recsys_jobs.data.readers.raw import RawData
from recsys_jobs.data.split_protocols import TEST, TRAIN, VALIDATION, Parts
from recsys_jobs.evaluation.bootstrap import Values, resampled_means
from recsys_jobs.evaluation.interval_text import interval_text
from recsys_jobs.exam.contents import load_contents
from recsys_jobs.exam.datasets import EvaluationDatasets, build_datasets, history_and_targets, needed_reviews
from recsys_jobs.lake import delta
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.torch_common.devices import use_all_cores

DATES = tuple(date(year, 3, 1) for year in range(2002, 2014))
TOP_K, SEED, RESAMPLES, FLOOR = 20, 0, 2_000, "ease_text"
WITHOUT_LISTED = " without listed items"
MODELS = (
    "ease_text,ease,text_knn,text_kernel,item_knn,user_knn,popularity,random,bpr_mf,lightgcn,sasrec,gated_sequence,"
    "temporal_gpt2,attention_contrastive,attention_towers,ncf_rating,sage_fm_seed,sage_fm,sage_fm_softmax,"
    "sage_fm_text_graph,ease_kernel_sage,ease_kernel,ease_lightgcn_sage,ease_lightgcn,sequence_sage,sequence_kernel"
)
Edges = tuple[Ints, Ints, Floats]  # src, dst, weight [K]


class Figures(NamedTuple):
    """One model's values: whose each is [N], NDCG and recall at TOP_K."""

    user_N: Ints
    ndcg_N: Values
    recall_N: Values


def windows(raw: RawData, dates: Sequence[date]) -> Iterator[tuple[date, RawData, Parts]]:
    """Yield each date with the events up to a year after it, and their parts."""
    time_E = raw.events.time_E
    for day in dates:
        cut, end = _seconds(day), _seconds(day.replace(year=day.year + 1))
        before_E = time_E < cut
        last_tenth = np.quantile(time_E[before_E], 0.9)
        part_E = np.where(before_E, TRAIN, TEST).astype(np.int8)
        part_E[before_E & (time_E >= last_tenth)] = VALIDATION
        in_window_E = time_E < end
        yield day, keep_events(raw, in_window_E), part_E[in_window_E]


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def keep_events(raw: RawData, kept_E: Bools) -> RawData:
    """Return the data set with some of its events; users and items stay."""
    events = replace(
        raw.events,
        user_E=raw.events.user_E[kept_E],
        item_E=raw.events.item_E[kept_E],
        time_E=raw.events.time_E[kept_E],
    )
    reviews = [raw.review_E[event] for event in np.flatnonzero(kept_E)]
    return replace(raw, events=events, rating_E=raw.rating_E[kept_E], review_E=reviews)


def listed_edges(items: list[str], run_date: date) -> Edges:
    """Return the edges of the pages' lists, each kind scaled to a mean weight of one, as nights do."""
    rows = delta.read_date(ITEM_EDGES, run_date).to_pandas()
    rows = rows[rows["kind"] != "co_review"]
    rows["weight"] /= rows.groupby("kind")["weight"].transform("mean")
    item_index = pd.Index(items)
    src_K = item_index.get_indexer(rows["src"])
    dst_K = item_index.get_indexer(rows["dst"])
    return src_K, dst_K, rows["weight"].to_numpy(np.float32)


def with_edges(dataset: Dataset, more: Edges) -> Dataset:
    """Return the dataset with further edges; weights of a pair that had one are added up."""
    own_weight_K = dataset.edge_weight_K
    if len(own_weight_K):
        own_weight_K = own_weight_K / own_weight_K.mean()
    src_K, dst_K, more_weight_K = more
    items = len(dataset.items)
    own_key_K = dataset.edge_src_K * items + dataset.edge_dst_K
    pair_key_K, pair_K = np.unique(np.concatenate([own_key_K, src_K * items + dst_K]), return_inverse=True)
    weight_K = np.bincount(pair_K, np.concatenate([own_weight_K, more_weight_K])).astype(np.float32)
    return replace(dataset, edge_src_K=pair_key_K // items, edge_dst_K=pair_key_K % items, edge_weight_K=weight_K)


def figures_of_year(datasets: EvaluationDatasets, name: str) -> Figures:
    """Return one model's values of one year."""
    _, result = fit_and_examine(datasets, get_recipe(name), seed=SEED, k=TOP_K)
    return Figures(result.user_U, result.per_user("ndcg", TOP_K), result.per_user("recall", TOP_K))


def pooled_means(user_N: Ints, values_NM: Values) -> tuple[Values, Values]:
    """Return the means of columns over all pairs [M], and over resamples of the people [R, M]."""
    user_U, row_N = np.unique(user_N, return_inverse=True)
    count_N = np.ones(len(user_N))
    sums_UC = np.zeros((len(user_U), values_NM.shape[1] + 1))
    np.add.at(sums_UC, row_N, np.column_stack([values_NM, count_N]))
    mean_RC = resampled_means(sums_UC, seed=SEED, resamples=RESAMPLES)
    return values_NM.mean(0), mean_RC[:, :-1] / mean_RC[:, -1:]


def table(by_model: dict[str, Figures]) -> str:
    """Return the pooled figures, best first, and what each differs from the floor by."""
    names, user_N = list(by_model), by_model[FLOOR].user_N
    ndcg_M, drawn_RM = pooled_means(user_N, np.column_stack([by_model[name].ndcg_N for name in names]))
    against_floor = differences_from_floor(names, ndcg_M, drawn_RM)
    low_M, high_M = np.quantile(drawn_RM, [0.025, 0.975], axis=0)
    lines = ["| recipe | NDCG@20 | recall@20 | against `ease_text` | shown |", "|---|---|---|---|---|"]
    for m in np.argsort(-ndcg_M, kind="stable"):
        ndcg = interval_text(ndcg_M[m], low_M[m], high_M[m])
        recall = by_model[names[m]].recall_N.mean()
        lines.append(f"| `{names[m]}` | {ndcg} | {recall:.4f} | {against_floor[m]} |")
    return "\n".join(lines)


def differences_from_floor(names: list[str], ndcg_M: Values, drawn_RM: Values) -> list[str]:
    """Return the difference of each from the floor at the level of its turn, and whether it is shown."""
    floor = names.index(FLOOR)
    ahead_RM = drawn_RM - drawn_RM[:, [floor]]
    p_M = np.minimum(1, 2 * np.minimum((ahead_RM <= 0).mean(0), (ahead_RM >= 0).mean(0)))
    others = [m for m in range(len(names)) if m != floor]
    corrected = holm([float(p_M[m]) for m in others])
    cells = ["|"] * len(names)
    for m, (level, shown) in zip(others, corrected, strict=True):
        low, high = np.quantile(ahead_RM[:, m], [level / 2, 1 - level / 2])
        cells[m] = f"{interval_text(ndcg_M[m] - ndcg_M[floor], low, high, '+')} | {'yes' if shown else 'no'}"
    return cells


def questions(raw: RawData, run_date: date, settings: Settings) -> Iterator[tuple[date, dict[str, EvaluationDatasets]]]:
    """Yield each date's datasets, with the listed items and without."""
    more = listed_edges(raw.items, run_date)
    for day, window, part_E in windows(raw, DATES):
        known = history_and_targets(part_E, "global_time", final=True, mask="train_validation")
        reviews = needed_reviews(window, part_E, known, settings)
        contents = load_contents(window, reviews, settings)
        datasets = build_datasets(window, part_E, known, contents, settings)
        yield day, {"": datasets.map_datasets(lambda dataset: with_edges(dataset, more)), WITHOUT_LISTED: datasets}


def main() -> None:
    """Measure the models on all years and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake", type=Path, metavar="LAKE", help="a lake that has a night of --date")
    parser.add_argument("--date", type=parse_date, required=True, help="its night that knows of all the years")
    parser.add_argument("--models", default=MODELS, help="recipes, comma-separated")
    arguments = parser.parse_args()
    use_all_cores()
    lake, settings = arguments.lake.absolute(), load_settings()
    os.environ["RECSYS_LAKE"] = str(lake)
    raw = replace(lake_cut.read(lake, arguments.date, settings), core=(0, 0))
    names = list(dict.fromkeys([FLOOR, *arguments.models.split(",")]))
    by_model = measure_all_years(questions(raw, arguments.date, settings), names)
    user_N = by_model[FLOOR].user_N
    pairs, people = len(user_N), len(np.unique(user_N))
    print(f"\n{len(DATES)} dates, {pairs:,} pairs of a person and a year, {people:,} people\n\n{table(by_model)}")


def measure_all_years(
    years: Iterator[tuple[date, dict[str, EvaluationDatasets]]], names: list[str]
) -> dict[str, Figures]:
    """Return each model's values of all years; one that cannot be fitted on one of them is left out, and told."""
    by_model: dict[str, list[Figures]] = defaultdict(list)
    failed: set[str] = set()
    for day, variants in years:
        for name, variant in product(names, variants):
            if name in failed or (variant and not name.startswith("sage_fm")):
                continue
            began = time.monotonic()
            try:
                figures = figures_of_year(variants[variant], name)
            except JobError as error:
                failed.add(name)
                print(f"{day}  {name}: {error}", flush=True)
                continue
            by_model[name + variant].append(figures)
            seconds = time.monotonic() - began
            print(f"{day}  {name + variant:40} {figures.ndcg_N.mean():.4f}  {seconds:.0f} s", flush=True)
    return {
        label: Figures(*map(np.concatenate, zip(*figures_by_year, strict=True)))
        for label, figures_by_year in by_model.items()
        if label.removesuffix(WITHOUT_LISTED) not in failed
    }


if __name__ == "__main__":
    main()
