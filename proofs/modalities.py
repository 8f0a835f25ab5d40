"""What each modality is worth on a lake's night: `python -m proofs.modalities LAKE --date D [--models a,b]`.

Each recipe is fitted with everything, without the text (titles, reviews, words and labels), without the pictures,
without the graph of co-reviews, and with one of these alone; the night's question otherwise, fitted on the cut H and
asked of (H, D]. Prints NDCG at K, the mean of the seeds, and the paired difference to the whole with its interval.
`--plot FILE` draws attention by epoch instead, of the first recipe and of the same over vectors as encoders give them.

I items, U people.
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
from proofs.one_exam import fit_and_examine
from recsys_jobs.contracts.settings import load_settings, parse_date
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.evaluation.bootstrap import Interval, Values, mean_interval, paired_difference
from recsys_jobs.exam.datasets import Sitting
from recsys_jobs.exam.options import Call
from recsys_jobs.exam.prepare import ask
from recsys_jobs.models import families
from recsys_jobs.models.recipes import recipe as recipe_called
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe
from recsys_jobs.registry import plots
from recsys_jobs.torch_common.devices import choose_device, use_all_cores
from recsys_jobs.training.recipe import Recipe


def without_text(dataset: Dataset) -> Dataset:
    """Return the dataset without titles, descriptions, reviews, words and labels."""
    no_I = np.zeros(len(dataset.items), np.bool_)
    return replace(
        without_terms(dataset),
        text_IT=np.zeros((len(dataset.items), 0), np.float32),
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
    nothing = np.zeros(0, np.int64)
    return replace(dataset, edge_src_K=nothing, edge_dst_K=nothing, edge_weight_K=np.zeros(0, np.float32))


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


def changed(sitting: Sitting, left_out: Iterable[str]) -> Sitting:
    """Return the question without some modalities."""
    return sitting.changed(lambda dataset: reduce(lambda left, name: WITHOUT[name](left), left_out, dataset))


def for_what_is_there(recipe: Recipe, left_out: Iterable[str]) -> Recipe:
    """Return the recipe; one that makes its graph out of histories has no layers where the graph is left out."""
    layered = "layers" in {field.name for field in fields(recipe)}
    return replace(recipe, layers=0) if layered and "graph" in left_out else recipe  # type: ignore[call-arg]


def measured(sitting: Sitting, recipe: Recipe, left_out: tuple[str, ...], seeds: int, k: int) -> Values:
    """Return each person's NDCG [U], the mean over seeds."""
    question, recipe = changed(sitting, left_out), for_what_is_there(recipe, left_out)
    results = [fit_and_examine(question, recipe, seed=seed, k=k)[1] for seed in range(seeds)]
    return np.mean([result.per_user("ndcg", k) for result in results], axis=0)


def table(sitting: Sitting, recipe: Recipe, seeds: int, k: int) -> None:
    """Print a recipe's rows as they come."""
    whole = np.zeros(0)
    for name, left_out in LEFT_OUT.items():
        value_U = measured(sitting, recipe, left_out, seeds, k)
        whole = whole if len(whole) else value_U
        ahead = _told(paired_difference(value_U, whole, seed=0), "+") if left_out else ""
        print(f"| `{recipe.name}` {name} | {_told(mean_interval(value_U))} | {ahead} |", flush=True)


def _told(interval: Interval, sign: str = "") -> str:
    return f"{interval.value:{sign}.4f} [{interval.low:{sign}.4f}, {interval.high:{sign}.4f}]"


def draw_attention(sitting: Sitting, recipe: SageFMRecipe, path: Path) -> None:
    """Draw attention by epoch, of vectors as encoders give them and of centred ones, each in a file."""
    for name, centred in (("plain", False), ("centred", True)):
        changed_recipe = replace(recipe, centred=centred, unit_parts=centred)
        fitted = families.fit(sitting.for_fit(recipe), changed_recipe, seed=0, device=choose_device())
        picture = path.with_name(f"{path.stem}-{name}.png")
        plots.save_png(plots.attention_curves(fitted.history), str(picture))
        print(f"plot: {picture}", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake", type=Path, metavar="LAKE", help="a lake that has a night of --date")
    parser.add_argument("--date", type=parse_date, required=True)
    parser.add_argument("--models", default="sage_fm,sage_fm_recent", help="recipes, comma-separated")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the attention of the first recipe, and end")
    arguments = parser.parse_args()
    use_all_cores()
    os.environ["RECSYS_LAKE"] = str(arguments.lake.absolute())
    settings, recipes = load_settings(), [recipe_called(name) for name in arguments.models.split(",")]
    call = Call(
        arguments.lake.absolute(), tuple(recipe.name for recipe in recipes), final=True, run_date=arguments.date
    )
    sitting = ask(call, settings, print).sitting
    if arguments.plot:
        draw_attention(sitting, recipes[0], arguments.plot)  # type: ignore[arg-type]
        return
    for recipe in recipes:
        table(sitting, recipe, arguments.seeds, settings.k)


if __name__ == "__main__":
    main()
