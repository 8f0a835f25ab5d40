"""Top-K with owned items masked exactly, beside a bare FAISS search of the same matrices without a mask.

`python -m benchmarks.topk [--users N] [--items N] [--width N] [-k N] [--rounds N]`. Factors are random,
histories skewed as real ones are. Each round times both in turn; the ratio is that of the best rounds,
for other work on the machine only ever adds time.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
import torch

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.ranking.faiss_search import gpu_available, inner_product_index, search
from recsys_jobs.ranking.model import Factors
from recsys_jobs.ranking.top_k import top_k

GOAL = 0.7  # of the bare search's speed
_PER_USER = 7  # items owned, on average


class Folded:
    """Random factors as a model: normal vectors, and a bias that every user shares."""

    def __init__(self, users: int, items: int, width: int) -> None:
        generator = torch.Generator().manual_seed(0)
        user_UF = torch.randn(users, width, generator=generator)
        user_UF[:, -1] = 1
        self.both = Factors(user_UF, torch.randn(items, width, generator=generator))

    def factors(self) -> Factors:
        """Return the factors."""
        return self.both

    def score_block(self, user_B: torch.Tensor) -> torch.Tensor:
        """Return scores [B, I]."""
        return self.both.user_UF[user_B] @ self.both.item_IF.T

    def item_vectors(self) -> None:
        """None."""

    def weights(self) -> dict[str, torch.Tensor]:
        """Return nothing worth storing."""
        return {}


def histories(users: int, items: int) -> Dataset:
    """Return a dataset in which users own a geometric number of items, popular ones more often."""
    random = np.random.default_rng(0)
    user_E = np.repeat(np.arange(users), np.minimum(random.geometric(1 / _PER_USER, users), items // 2))
    item_E = (items * random.random(len(user_E)) ** 2).astype(np.int64)
    keys = np.unique(user_E * items + item_E)
    events, floats = len(keys), np.zeros((items, 0), np.float32)
    nothing, nobody = np.zeros(0, np.int64), np.zeros(items, np.bool_)
    return Dataset(
        users=[f"{n:09d}" for n in range(users)],
        items=[f"{n:09d}" for n in range(items)],
        event_user_E=keys // items,
        event_item_E=keys % items,
        in_core_E=np.ones(events, np.bool_),
        validation_E=np.zeros(events, np.bool_),
        review_E=np.full(events, -1),
        review_RT=np.zeros((0, 0), np.float32),
        text_IT=floats,
        text_present_I=nobody,
        text_from_reviews_I=nobody,
        image_IV=floats,
        image_present_I=nobody,
        edge_src_K=nothing,
        edge_dst_K=nothing,
        edge_weight_K=np.zeros(0, np.float32),
        reviews_per_user=1,
        reviews_per_item=1,
    )


def bare(model: Folded, k: int) -> None:
    """Index and search, as FAISS's own manual does it."""
    search(inner_product_index(model.both.item_IF.numpy()), model.both.user_UF.numpy(), k)


def masked(model: Folded, dataset: Dataset, k: int) -> None:
    """What publishing does."""
    served = sum(int((slates.count_B == k).sum()) for slates in top_k(model, dataset, k))
    assert served == len(dataset.users)


def seconds(work: Callable[[], None]) -> float:
    """Return how long `work` took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, number in (("--users", 35_598), ("--items", 18_357), ("--width", 65), ("-k", 20), ("--rounds", 3)):
        parser.add_argument(name, type=int, default=number)
    asked = parser.parse_args()
    model = Folded(asked.users, asked.items, asked.width)
    dataset = histories(asked.users, asked.items)
    times = [
        (seconds(lambda: bare(model, asked.k)), seconds(lambda: masked(model, dataset, asked.k)))
        for _ in range(asked.rounds)
    ]
    best_bare, best_masked = (min(column) for column in zip(*times, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{asked.users} users x {asked.items} items x {asked.width} factors, k = {asked.k}, GPU: {gpu_available()}")
    print(f"bare FAISS search        {best_bare:7.2f} s   rounds: {' '.join(f'{b:.2f}' for b, _ in times)}")
    print(f"top-K with owned masked  {best_masked:7.2f} s   rounds: {' '.join(f'{m:.2f}' for _, m in times)}")
    print(f"speed ratio {best_bare / best_masked:.2f} (goal: at least {GOAL}), peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
