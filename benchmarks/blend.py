"""Every user's top-K by a blend: dense vectors and two sparse item-to-item matrices, standardised and summed.

`python -m benchmarks.blend [--users N] [--items N] [--width N] [--kept N,N] [-k N]`. Vectors and weights are
random, as many of these as `ease_text` and `text_kernel` keep of each column; histories are skewed as real
ones are. The goal is the night's: all slates of 35,000 users within a minute on two cores.
"""

from __future__ import annotations

import argparse
import resource

import numpy as np
import torch
from scipy import sparse

from benchmarks.topk import Folded, histories, seconds
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.base.item_to_item import ItemToItemModel
from recsys_jobs.models.blend.learner import BlendModel
from recsys_jobs.ranking.top_k import top_k

GOAL = 60.0  # seconds


def weights(items: int, kept: int, random: np.random.Generator) -> sparse.csr_matrix:
    """Return random weights, `kept` in each column."""
    row_N = np.concatenate([random.choice(items, kept, replace=False) for _ in range(items)])
    values = random.standard_normal(len(row_N), dtype=np.float32)
    return sparse.csc_matrix((values, row_N, np.arange(items + 1) * kept), shape=(items, items)).tocsr()


def served(model: BlendModel, dataset: Dataset, k: int) -> None:
    """What publishing does."""
    full = sum(int((slates.count_B == k).sum()) for slates in top_k(model, dataset, k))
    assert full == len(dataset.users)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, number in (("--users", 35_598), ("--items", 18_357), ("--width", 129), ("-k", 20)):
        parser.add_argument(name, type=int, default=number)
    parser.add_argument("--kept", default="1000,500", help="weights kept of each column of each matrix")
    asked = parser.parse_args()
    kept = [min(int(part), asked.items) for part in asked.kept.split(",")]
    dataset, random = histories(asked.users, asked.items), np.random.default_rng(0)
    sparse_parts = [(1.0, ItemToItemModel(dataset, weights(asked.items, number, random))) for number in kept]
    model = BlendModel([(1.0, Folded(asked.users, asked.items, asked.width)), *sparse_parts], asked.items)
    took = seconds(lambda: served(model, dataset, asked.k))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{asked.users} users x {asked.items} items, width {asked.width}, kept {kept}, k = {asked.k}")
    print(f"blend, owned masked  {took:.1f} s (goal: at most {GOAL:.0f}), {torch.get_num_threads()} threads")
    print(f"peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
