"""All families on one shop over dates fixed in advance: `python -m proofs.pooled LAKE --date D [--models a,b]`.

At each first of March from 2002 to 2013 a model learns from what was before it, selected by the last tenth of
that, and is asked for what people took in the year that follows. Everything is learned from: in the first years
no core of five is left. Pages that list other items (also_bought) bear no date, so every date has them; each
recipe that has a graph is asked without them too. A person's years are no independent draws: intervals resample
people, with all the years of each, and the differences from `ease_text` are corrected by Holm.

E events, K edges, U people, N pairs of a person and a year, R resamples.
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

from proofs.one_exam import fit_and_examine
from recsys_jobs.challenges.bakeoff.ranking import holm
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings, load_settings, parse_date
from recsys_jobs.contracts.tables import ITEM_EDGES
from recsys_jobs.data.dataset import Bools, Dataset, Floats, Ints
from recsys_jobs.data.readers import lake_cut
from recsys_jobs.data.readers.raw import RawData
from recsys_jobs.data.split_protocols import TEST, TRAIN, VALIDATION, Parts
from recsys_jobs.evaluation.bootstrap import Values, resampled_means
from recsys_jobs.exam.contents import load_contents
from recsys_jobs.exam.datasets import EvaluationDatasets, build_datasets, history_and_targets, needed_reviews
from recsys_jobs.lake import delta
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.torch_common.devices import use_all_cores

DATES = tuple(date(year, 3, 1) for year in range(2002, 2014))
K, SEED, RESAMPLES, FLOOR = 20, 0, 2_000, "ease_text"
ALONE = " without listed items"
MODELS = (
    "ease_text,ease,text_knn,text_kernel,item_knn,user_knn,popularity,random,bpr_mf,lightgcn,sasrec,gated_sequence,"
    "temporal_gpt2,attention_contrastive,attention_towers,ncf_rating,sage_fm_seed,sage_fm,sage_fm_softmax,"
    "sage_fm_text_graph,ease_kernel_sage,ease_kernel,ease_lightgcn_sage,ease_lightgcn,sequence_sage,sequence_kernel"
)
Edges = tuple[Ints, Ints, Floats]  # src, dst, weight [K]


class Figures(NamedTuple):
    """One model's values: whose each is [N], NDCG and recall at K."""

    user_N: Ints
    ndcg_N: Values
    recall_N: Values


def windows(raw: RawData, dates: Sequence[date]) -> Iterator[tuple[date, RawData, Parts]]:
    """Yield each date with the events up to a year after it, and their parts."""
    time_E = raw.events.time_E
    for day in dates:
        cut, end = (_seconds(when) for when in (day, day.replace(year=day.year + 1)))
        before_E = time_E < cut
        part_E = np.where(before_E, TRAIN, TEST).astype(np.int8)
        part_E[before_E & (time_E >= np.quantile(time_E[before_E], 0.9))] = VALIDATION
        there_E = time_E < end
        yield day, only(raw, there_E), part_E[there_E]


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def only(raw: RawData, kept_E: Bools) -> RawData:
    """Return the data set with some of its events; users and items stay."""
    events = raw.events
    chosen = replace(events, **{name: getattr(events, name)[kept_E] for name in ("user_E", "item_E", "time_E")})
    kept = np.flatnonzero(kept_E)
    return replace(raw, events=chosen, rating_E=raw.rating_E[kept_E], review_E=[raw.review_E[e] for e in kept])


def listed_edges(items: list[str], run_date: date) -> Edges:
    """Return the edges of the pages' lists, each kind scaled to a mean weight of one, as nights do."""
    rows = delta.read_date(ITEM_EDGES, run_date).to_pandas()
    rows = rows[rows["kind"] != "co_review"]
    rows["weight"] /= rows.groupby("kind")["weight"].transform("mean")
    place = pd.Index(items)
    src, dst = (place.get_indexer(rows[end]) for end in ("src", "dst"))
    return src, dst, rows["weight"].to_numpy(np.float32)


def with_edges(dataset: Dataset, more: Edges) -> Dataset:
    """Return the dataset with further edges; weights of a pair that had one are added up."""
    own_K = dataset.edge_weight_K / dataset.edge_weight_K.mean() if len(dataset.edge_weight_K) else np.zeros(0)
    items = len(dataset.items)
    key_K = np.concatenate([dataset.edge_src_K * items + dataset.edge_dst_K, more[0] * items + more[1]])
    key, place_K = np.unique(key_K, return_inverse=True)
    weight_K = np.bincount(place_K, np.concatenate([own_K, more[2]])).astype(np.float32)
    return replace(dataset, edge_src_K=key // items, edge_dst_K=key % items, edge_weight_K=weight_K)


def measured(datasets: EvaluationDatasets, name: str) -> Figures:
    """Return one model's values of one year."""
    _, result = fit_and_examine(datasets, get_recipe(name), seed=SEED, k=K)
    return Figures(result.user_U, result.per_user("ndcg", K), result.per_user("recall", K))


def means(user_N: Ints, values_NM: Values) -> tuple[Values, Values]:
    """Return the means of columns over all pairs [M], and over resamples of the people [R, M]."""
    user, place_N = np.unique(user_N, return_inverse=True)
    sums_UM = np.zeros((len(user), values_NM.shape[1] + 1))
    np.add.at(sums_UM, place_N, np.column_stack([values_NM, np.ones(len(user_N))]))
    drawn_RM = resampled_means(sums_UM, seed=SEED, resamples=RESAMPLES)
    return values_NM.mean(0), drawn_RM[:, :-1] / drawn_RM[:, -1:]


def table(found: dict[str, Figures]) -> str:
    """Return the pooled figures, best first, and what each differs from the floor by."""
    names, user_N = list(found), found[FLOOR].user_N
    ndcg_M, drawn_RM = means(user_N, np.column_stack([found[name].ndcg_N for name in names]))
    against = differences(names, ndcg_M, drawn_RM)
    low_M, high_M = np.quantile(drawn_RM, [0.025, 0.975], axis=0)
    lines = ["| recipe | NDCG@20 | recall@20 | against `ease_text` | shown |", "|---|---|---|---|---|"]
    for m in np.argsort(-ndcg_M, kind="stable"):
        figures = f"{ndcg_M[m]:.4f} [{low_M[m]:.4f}, {high_M[m]:.4f}] | {found[names[m]].recall_N.mean():.4f}"
        lines.append(f"| `{names[m]}` | {figures} | {against[m]} |")
    return "\n".join(lines)


def differences(names: list[str], ndcg_M: Values, drawn_RM: Values) -> list[str]:
    """Return the difference of each from the floor at the level of its turn, and whether it is shown."""
    floor = names.index(FLOOR)
    ahead_RM = drawn_RM - drawn_RM[:, [floor]]
    p_M = np.minimum(1, 2 * np.minimum((ahead_RM <= 0).mean(0), (ahead_RM >= 0).mean(0)))
    others = [m for m in range(len(names)) if m != floor]
    told = ["|"] * len(names)
    for m, (level, shown) in zip(others, holm([float(p_M[m]) for m in others]), strict=True):
        low, high = np.quantile(ahead_RM[:, m], [level / 2, 1 - level / 2])
        told[m] = f"{ndcg_M[m] - ndcg_M[floor]:+.4f} [{low:+.4f}, {high:+.4f}] | {'yes' if shown else 'no'}"
    return told


def questions(raw: RawData, run_date: date, settings: Settings) -> Iterator[tuple[date, dict[str, EvaluationDatasets]]]:
    """Yield each date's question, with the listed items and without."""
    more = listed_edges(raw.items, run_date)
    for day, part, part_E in windows(raw, DATES):
        known = history_and_targets(part_E, "global_time", final=True, mask="train_validation")
        contents = load_contents(part, needed_reviews(part, part_E, known, settings), settings)
        plain = build_datasets(part, part_E, known, contents, settings)
        yield day, {"": plain.map_datasets(lambda dataset: with_edges(dataset, more)), ALONE: plain}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake", type=Path, metavar="LAKE", help="a lake that has a night of --date")
    parser.add_argument("--date", type=parse_date, required=True, help="its night that knows of all the years")
    parser.add_argument("--models", default=MODELS, help="recipes, comma-separated")
    asked = parser.parse_args()
    use_all_cores()
    os.environ["RECSYS_LAKE"] = str(asked.lake.absolute())
    settings = load_settings()
    raw = replace(lake_cut.read(asked.lake.absolute(), asked.date, settings), core=(0, 0))
    names = list(dict.fromkeys([FLOOR, *asked.models.split(",")]))
    found = all_years(questions(raw, asked.date, settings), names)
    pairs, people = len(found[FLOOR].user_N), len(np.unique(found[FLOOR].user_N))
    print(f"\n{len(DATES)} dates, {pairs:,} pairs of a person and a year, {people:,} people\n\n{table(found)}")


def all_years(asked: Iterator[tuple[date, dict[str, EvaluationDatasets]]], names: list[str]) -> dict[str, Figures]:
    """Return each model's values of all years; one that cannot be fitted on one of them is left out, and told."""
    each: dict[str, list[Figures]] = defaultdict(list)
    failed: set[str] = set()
    for day, sittings in asked:
        for name, how in product(names, sittings):
            if name in failed or (how and not name.startswith("sage_fm")):
                continue
            began = time.monotonic()
            try:
                each[name + how].append(measured(sittings[how], name))
            except JobError as error:
                failed.add(name)
                print(f"{day}  {name}: {error}", flush=True)
                continue
            value = each[name + how][-1].ndcg_N.mean()
            print(f"{day}  {name + how:40} {value:.4f}  {time.monotonic() - began:.0f} s", flush=True)
    kept = {label: years for label, years in each.items() if label.removesuffix(ALONE) not in failed}
    return {label: Figures(*map(np.concatenate, zip(*years, strict=True))) for label, years in kept.items()}


if __name__ == "__main__":
    main()
