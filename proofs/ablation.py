"""Measures what each part of the graph model adds on a benchmark folder: `python -m proofs.ablation DATA [--seed N]`.

First the way from the seed's model to `sage_fm`, each row with one more change; then `sage_fm_softmax` with one thing
changed at a time. Fitted on train and measured on validation, everything else equal. Prints R@20 and NDCG@20 of all
validation users, epochs, and the seconds of fit and exam; test is not looked at.

I items, P pairs of an item and a word or label.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from proofs.fit_and_examine import fit_and_examine
from recsys_jobs.contracts.settings import load_settings
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.exam.datasets import EvaluationDatasets
from recsys_jobs.exam.options import ExamOptions
from recsys_jobs.exam.prepare import prepare_exam
from recsys_jobs.models.sage_fm.recipe import sage_fm, sage_fm_seed, sage_fm_text_graph
from recsys_jobs.models.sage_softmax.recipe import sage_fm_softmax
from recsys_jobs.torch_common.devices import use_all_cores
from recsys_jobs.training.recipe import Recipe

Change = Callable[[Dataset], Dataset]


def unchanged(dataset: Dataset) -> Dataset:
    """Return the dataset as it is."""
    return dataset


def without_terms(dataset: Dataset) -> Dataset:
    """Return the dataset without words and labels; text vectors stay."""
    no_P = np.zeros(0, np.int64)
    return replace(dataset, term_item_P=no_P, term_P=no_P)


def identifiers_alone(dataset: Dataset) -> Dataset:
    """Return the dataset without any content."""
    no_I = np.zeros(len(dataset.items), np.bool_)
    return replace(without_terms(dataset), text_present_I=no_I)


GRAPH: dict[str, Any] = {"linear_graph": True, "weighted_edges": True, "hold_out_edges": True, "node_scale": 0.2}
CONTENTS: dict[str, Any] = GRAPH | {"node_features": True, "history_text": True}
UNIT: dict[str, Any] = CONTENTS | {"normalise": True, "temperature": 0.3}
FROM_SEED_TO_SAGE_FM: dict[str, Recipe] = {
    "the seed's model": sage_fm_seed(),
    "+ linear layers, weighted edges": replace(sage_fm_seed(), **GRAPH),
    "+ contents at the nodes": replace(sage_fm_seed(), **CONTENTS),
    "+ vectors of length one": replace(sage_fm_seed(), **UNIT),
    "+ softmax over 1,024": replace(sage_fm(), centred=False, unit_parts=False, node_learning_rate=2e-3),
    "+ alike titles": replace(sage_fm_text_graph(), graph_layers=2, fm_rank=64),
    "+ one layer, rank 128: sage_fm_text_graph": sage_fm_text_graph(),
    "sage_fm: softmax over 1,024, centred contents, parts of length one": sage_fm(),
}
VARIATIONS: dict[str, tuple[dict[str, Any], Change]] = {
    "sage_fm_softmax": ({}, unchanged),
    "no graph (0 layers)": ({"layers": 0}, unchanged),
    "two layers": ({"layers": 2}, unchanged),
    "no graph of alike texts": ({"text_neighbours": 0}, unchanged),
    "no words and labels": ({}, without_terms),
    "identifiers alone": ({"text_neighbours": 0}, identifiers_alone),
    "one item held out of each user": ({"held_out": 0.0}, unchanged),
    "64 dimensions": ({"width": 64}, unchanged),
}


def measure_row(datasets: EvaluationDatasets, recipe: Recipe, seed: int) -> str:
    """Return one row's figures as text."""
    began = time.monotonic()
    fitted, result = fit_and_examine(datasets, recipe, seed=seed, k=20)
    seconds = time.monotonic() - began
    recall = float(np.mean(result.per_user("recall", 20)))
    ndcg = float(np.mean(result.per_user("ndcg", 20)))
    return f"{recall:.4f}  {ndcg:.4f}  {fitted.epochs:6}  {seconds:7.0f}"


def main() -> None:
    """Print a row for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA", help="a benchmark folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    arguments = parser.parse_args()
    use_all_cores()
    exam = ExamOptions(arguments.data.absolute(), ("sage_fm_softmax",), seed=arguments.seed)
    datasets = prepare_exam(exam, load_settings(), print).datasets
    rows: dict[str, tuple[Any, Change]] = {name: (recipe, unchanged) for name, recipe in FROM_SEED_TO_SAGE_FM.items()}
    rows |= {name: (replace(sage_fm_softmax(), **fields), change) for name, (fields, change) in VARIATIONS.items()}
    print(f"{'':41}    R@20    N@20  epochs  seconds")
    for name, (recipe, change) in rows.items():
        if arguments.only in name:
            print(f"{name:41}  {measure_row(datasets.map_datasets(change), recipe, arguments.seed)}", flush=True)


if __name__ == "__main__":
    main()
