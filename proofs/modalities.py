"""Measures what each modality adds on a lake's night: `python -m proofs.modalities LAKE --date D [--models a,b]`.

Each recipe is fitted with everything, without the text (titles, reviews, words and labels), without the pictures,
without the graph of co-reviews, and with one of these alone; the night's question otherwise, fitted on the cut H and
asked of (H, D]. Prints NDCG at K, the mean of the seeds, and the paired difference to the whole with its interval.
`--plot FILE` draws attention by epoch instead, of the first recipe and of the same over vectors as encoders give them.

I items, U people, K edges, E reviews; R and T are the sides of the arrays of review and text vectors.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from functools import reduce
from pathlib import Path

import numpy as np

from proofs.ablation import without_terms
from proofs.fit_and_examine import fit_and_examine
from recsys_jobs.contracts.settings import load_settings, parse_date
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.evaluation.bootstrap import Interval, Values, mean_interval, paired_difference
from recsys_jobs.evaluation.interval_text import interval_text
from recsys_jobs.exam.datasets import EvaluationDatasets
from recsys_jobs.exam.options import ExamOptions
from recsys_jobs.exam.prepare import prepare_exam
from recsys_jobs.models import families
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe
from recsys_jobs.registry import plots
from recsys_jobs.torch_common.devices import choose_device, use_all_cores
from recsys_jobs.training.recipe import Recipe


def without_text(dataset: Dataset) -> Dataset:
    """Return the dataset without titles, descriptions, reviews, words and labels."""
    items = len(dataset.items)
    no_I = np.zeros(items, np.bool_)
    return replace(
        without_terms(dataset),
        text_IT=np.zeros((items, 0), np.float32),
        text_present_I=no_I,
        text_from_reviews_I=no_I,
        review_RT=np.zeros((0, 0), np.float32),
        review_E=np.full_like(dataset.review_E, -1),
    )


def without_image(dataset: Dataset) -> Dataset:
    """Return the dataset without pictures."""
    items = len(dataset.items)
    return replace(dataset, image_IV=np.zeros((items, 0), np.float32), image_present_I=np.zeros(items, np.bool_))


def without_graph(dataset: Dataset) -> Dataset:
    """Return the dataset without edges between items; people's histories stay."""
    no_K = np.zeros(0, np.int64)
    return replace(dataset, edge_src_K=no_K, edge_dst_K=no_K, edge_weight_K=np.zeros(0, np.float32))


WITHOUT: dict[str, Callable[[Dataset], Dataset]] = {
    "text": without_text,
    "image": without_image,
    "graph": without_graph,
}
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "the whole": (),
    "without text": ("text",),
    "without image": ("image",),
    "without graph": ("graph",),
    "text alone": ("image", "graph"),
    "image alone": ("text", "graph"),
    "graph alone": ("text", "image"),
}


def without_modalities(datasets: EvaluationDatasets, left_out: Iterable[str]) -> EvaluationDatasets:
    """Return the exam's datasets without some modalities."""
    return datasets.map_datasets(lambda dataset: reduce(lambda left, name: WITHOUT[name](left), left_out, dataset))


def recipe_without(recipe: Recipe, left_out: Iterable[str]) -> Recipe:
    """Return the recipe; one that makes its graph out of histories has no layers where the graph is left out."""
    layered = "layers" in {field.name for field in fields(recipe)}
    if layered and "graph" in left_out:
        return replace(recipe, layers=0)  # type: ignore[call-arg]
    return recipe


def ndcg_without(datasets: EvaluationDatasets, recipe: Recipe, left_out: tuple[str, ...], seeds: int, k: int) -> Values:
    """Return each person's NDCG [U], the mean over seeds."""
    datasets = without_modalities(datasets, left_out)
    recipe = recipe_without(recipe, left_out)
    results = [fit_and_examine(datasets, recipe, seed=seed, k=k)[1] for seed in range(seeds)]
    return np.mean([result.per_user("ndcg", k) for result in results], axis=0)


def print_table(datasets: EvaluationDatasets, recipe: Recipe, seeds: int, k: int) -> None:
    """Print a recipe's rows as they come."""
    whole_U = np.zeros(0)
    for name, left_out in LEFT_OUT.items():
        ndcg_U = ndcg_without(datasets, recipe, left_out, seeds, k)
        if not left_out:
            whole_U = ndcg_U
        difference = _text(paired_difference(ndcg_U, whole_U, seed=0), "+") if left_out else ""
        print(f"| `{recipe.name}` {name} | {_text(mean_interval(ndcg_U))} | {difference} |", flush=True)


def _text(interval: Interval, sign: str = "") -> str:
    return interval_text(interval.value, interval.low, interval.high, sign)


def draw_attention(datasets: EvaluationDatasets, recipe: SageFMRecipe, path: Path) -> None:
    """Draw attention by epoch, of vectors as encoders give them and of centred ones, each in a file."""
    for name, centred in (("plain", False), ("centred", True)):
        variant = replace(recipe, centred=centred, unit_parts=centred)
        fitted = families.fit(datasets.for_fit(recipe), variant, seed=0, device=choose_device())
        picture = path.with_name(f"{path.stem}-{name}.png")
        plots.save_png(plots.attention_curves(fitted.history), picture)
        print(f"plot: {picture}", flush=True)


def main() -> None:
    """Print a table for each recipe, or draw the attention of the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake", type=Path, metavar="LAKE", help="a lake that has a night of --date")
    parser.add_argument("--date", type=parse_date, required=True)
    parser.add_argument("--models", default="sage_fm,sage_fm_recent", help="recipes, comma-separated")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the attention of the first recipe, and end")
    arguments = parser.parse_args()
    use_all_cores()
    lake = arguments.lake.absolute()
    os.environ["RECSYS_LAKE"] = str(lake)
    settings = load_settings()
    recipes = [get_recipe(name) for name in arguments.models.split(",")]
    exam = ExamOptions(lake, tuple(recipe.name for recipe in recipes), final=True, run_date=arguments.date)
    datasets = prepare_exam(exam, settings, print).datasets
    if arguments.plot:
        draw_attention(datasets, recipes[0], arguments.plot)  # type: ignore[arg-type]
        return
    for recipe in recipes:
        print_table(datasets, recipe, arguments.seeds, settings.k)


if __name__ == "__main__":
    main()
