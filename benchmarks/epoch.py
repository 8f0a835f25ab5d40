"""An epoch of the main model on a benchmark's interactions, beside the floor that its arithmetic sets.

    python benchmarks/epoch.py [--data FOLDER] [--recipe sage_fm] [--epochs 3] [--image-width 1280]

FOLDER holds `interactions.tsv.gz` (user, item, split). Contents are random vectors: an epoch costs the same whatever
they say. The floor is the dense operations at the speed of this machine's matrix product, and the bytes that sparse
products must gather at the speed of its memory, both measured in the same run.

U users, I items, E events, R reviews, K edges, T and V widths of text and image vectors; in the floor's names P pairs,
N negatives, M modalities, D, G and F widths of the model, its graph and its factorization machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from recsys_jobs.contracts.errors import UsageError, run_main
from recsys_jobs.contracts.settings import ROOT, Settings
from recsys_jobs.data.co_review_edges import co_review_edges
from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.models.sage_fm.learner import fit
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe
from recsys_jobs.torch_common.devices import use_all_cores

TEXT_WIDTH = 384


def main() -> None:
    """Print the epoch's seconds, its floor part by part, their ratio, and the peak memory."""
    shared = Path(os.environ.get("RECSYS_SHARED_DATA") or ROOT.parent / "shared" / "data")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=shared / "benchmarks" / "sports", help="folder of a benchmark")
    parser.add_argument("--recipe", default="sage_fm", help="sage_fm or sage_fm_seed (default sage_fm)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs to measure; the fastest counts (default 3)")
    parser.add_argument("--image-width", type=int, default=1280, help="0: no images (default 1280)")
    args = parser.parse_args()
    file, model_recipe = args.data / "interactions.tsv.gz", get_recipe(args.recipe)
    if not file.is_file():
        raise UsageError(f"no interactions at {file}: name the folder of a benchmark with --data")
    if not isinstance(model_recipe, SageFMRecipe):
        raise UsageError(f"{args.recipe} is not trained by epochs: name sage_fm or sage_fm_seed")
    use_all_cores()
    run(read(file, args.image_width), model_recipe, args.epochs)


def read(file: Path, image_width: int) -> Dataset:
    """Return a benchmark's train part as a dataset with random contents and its co-review edges."""
    events = pd.read_csv(file, sep="\t").query("split == 'train'").sort_values(["user", "item"])
    users, user_E = np.unique(events["user"], return_inverse=True)
    items, item_E = np.unique(events["item"], return_inverse=True)
    user_ids = [f"{user:08}" for user in users]
    item_ids = [f"{item:08}" for item in items]
    return with_random_contents(user_ids, item_ids, user_E.astype(np.int64), item_E.astype(np.int64), image_width)


def with_random_contents(users: list[str], items: list[str], user_E: Ints, item_E: Ints, image_width: int) -> Dataset:
    """Return events (row numbers of users and items [E]) as a dataset with random contents and co-review edges."""
    random = np.random.default_rng(0)
    settings = Settings()
    src_K, dst_K, weight_K = co_review_edges(
        user_E, item_E, len(items), settings.history_for_edges, settings.edges_per_item
    )
    return Dataset(
        users=users,
        items=items,
        event_user_E=user_E,
        event_item_E=item_E,
        in_core_E=np.ones(len(user_E), np.bool_),
        validation_E=np.zeros(len(user_E), np.bool_),
        review_E=np.arange(len(user_E)),
        review_RT=random.standard_normal((len(user_E), TEXT_WIDTH), np.float32),
        text_IT=random.standard_normal((len(items), TEXT_WIDTH), np.float32),
        text_present_I=np.ones(len(items), np.bool_),
        text_from_reviews_I=random.random(len(items)) < 0.2,
        image_IV=random.standard_normal((len(items), image_width), np.float32),
        image_present_I=np.full(len(items), image_width > 0),
        edge_src_K=src_K,
        edge_dst_K=dst_K,
        edge_weight_K=weight_K,
        reviews_per_user=5,
        reviews_per_item=5,
    )


def run(data: Dataset, model_recipe: SageFMRecipe, epochs: int) -> None:
    """Train and print."""
    fitted = fit(data, model_recipe, seed=0, epochs=epochs)
    seconds = min(entry["seconds"] for entry in fitted.history)
    sizes = f"{len(data.users):,} users, {len(data.items):,} items, {len(data.event_user_E):,} pairs"
    print(f"{model_recipe.name}: {sizes},")
    print(f"{len(data.edge_src_K):,} edges; {model_recipe.steps_per_epoch} steps, {torch.get_num_threads()} threads")
    total = 0.0
    print(f"\n{'floor':48}{'amount':>14}{'seconds':>10}")
    for name, amount, unit, speed in floor(data, model_recipe):
        total += amount / speed
        print(f"{name:48}{amount / 1e9:10.1f} {unit}{amount / speed:10.2f}")
    print(f"{'in all':62}{total:10.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"\nepoch {seconds:.1f} s (the fastest of {epochs}), {seconds / total:.1f} times its floor; peak {peak:.1f} GB"
    )


def floor(data: Dataset, model_recipe: SageFMRecipe) -> list[tuple[str, float, str, float]]:
    """Return name, amount in an epoch, unit and speed of each part: forward once, backward twice the dense work.

    Contents need no gradient: backward costs a projection once, for its weights.
    """
    items, pairs = len(data.items), len(data.event_user_E)
    edges = 2 * len(data.edge_src_K) * (1 - model_recipe.edge_dropout)
    width, graph = model_recipe.width, model_recipe.graph_width
    steps = model_recipe.steps_per_epoch
    layers = steps * model_recipe.graph_layers
    contents = data.text_IT.shape[1] + data.image_IV.shape[1]
    negatives = min(model_recipe.negatives, items)
    attended = steps * items + pairs  # vectors that attention makes
    flops, bytes_ = matmul_speed(), memory_speed()
    return [
        ("project contents: 4 steps I (T + V) D", 4.0 * steps * items * contents * width, "GF", flops),
        ("project reviews: 4 P T D", 4.0 * pairs * TEXT_WIDTH * width, "GF", flops),
        ("graph layers: 12 steps layers I G^2", 12.0 * layers * items * graph**2, "GF", flops),
        ("attention: 6 (steps I + P) M D^2", 6.0 * attended * 3 * width**2, "GF", flops),
        ("scores: 6 P N F", 6.0 * pairs * negatives * model_recipe.fm_rank, "GF", flops),
        ("neighbours: 8 bytes steps layers 2K G", 8.0 * layers * edges * graph, "GB", bytes_),
    ]


def matmul_speed() -> float:
    """Return operations per second of a large product."""
    matrix = torch.randn(2048, 2048)
    return 2 * 2048**3 / _fastest(lambda: matrix @ matrix)


def memory_speed() -> float:
    """Return bytes per second of reading a large array."""
    array = torch.randn(50_000_000)
    return 200_000_000 / _fastest(lambda: array.sum())


def _fastest(work: Callable[[], object], times: int = 5) -> float:
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


if __name__ == "__main__":
    run_main(main)
