"""Every user's top-K by a blend: dense vectors and two sparse item-to-item matrices, standardised and summed.

`python -m benchmarks.blend [--users N] [--items N] [--width N] [--kept N,N] [-k N]`. Vectors and weights are
random, as many of these as `ease_text` and `text_kernel` keep of each column; histories are skewed as real
ones are. The goal is the night's: all slates of 35,000 users within a minute on two cores.

N weights kept.
"""

from __future__ import annotations

import argparse
import resource

import numpy as np
import torch
from scipy import sparse

from benchmarks.topk import RandomFactors, histories, rank_unowned, seconds
from recsys_jobs.models.base.item_to_item import ItemToItemModel
from recsys_jobs.models.blend.learner import BlendModel
from recsys_jobs.ranking.model import Model

GOAL = 60.0  # seconds


def random_weights(items: int, kept: int, random: np.random.Generator) -> sparse.csr_matrix:
    """Return random weights, `kept` in each column."""
    row_N = np.concatenate([random.choice(items, kept, replace=False) for _ in range(items)])
    value_N = random.standard_normal(len(row_N), dtype=np.float32)
    pointers = np.arange(items + 1) * kept
    return sparse.csc_matrix((value_N, row_N, pointers), shape=(items, items)).tocsr()


def main() -> None:
    """Time the slates of everyone and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, number in (("--users", 35_598), ("--items", 18_357), ("--width", 129), ("-k", 20)):
        parser.add_argument(name, type=int, default=number)
    parser.add_argument("--kept", default="1000,500", help="weights kept of each column of each matrix")
    args = parser.parse_args()
    kept = [min(int(number), args.items) for number in args.kept.split(",")]
    dataset, random = histories(args.users, args.items), np.random.default_rng(0)
    parts: list[tuple[float, Model]] = [(1.0, RandomFactors(args.users, args.items, args.width))]
    for number in kept:
        parts.append((1.0, ItemToItemModel(dataset, random_weights(args.items, number, random))))
    model = BlendModel(parts, args.items)
    elapsed = seconds(lambda: rank_unowned(model, dataset, args.k))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{args.users} users x {args.items} items, width {args.width}, kept {kept}, k = {args.k}")
    print(f"blend, owned masked  {elapsed:.1f} s (goal: at most {GOAL:.0f}), {torch.get_num_threads()} threads")
    print(f"peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
