"""Top-K with owned items masked exactly, beside a bare FAISS search of the same matrices without a mask.

`python -m benchmarks.topk [--users N] [--items N] [--width N] [-k N] [--rounds N]`. Factors are random,
histories skewed as real ones are. Each round times both in turn; the ratio is that of the best rounds,
for other work on the machine only ever adds time.

U users, I items, F factors, B batch of users, E events; the edges K and reviews R are none here.
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
from recsys_jobs.ranking.model import Factors, Model
from recsys_jobs.ranking.top_k import top_k

GOAL = 0.7  # of the bare search's speed
_PER_USER = 7  # items owned, on average


class RandomFactors:
    """Random factors as a model: normal vectors, and a bias that every user shares."""

    def __init__(self, users: int, items: int, width: int) -> None:
        generator = torch.Generator().manual_seed(0)
        user_UF = torch.randn(users, width, generator=generator)
        user_UF[:, -1] = 1
        self._factors = Factors(user_UF, torch.randn(items, width, generator=generator))

    def factors(self) -> Factors:
        """Return the factors."""
        return self._factors

    def score_block(self, user_B: torch.Tensor) -> torch.Tensor:
        """Return scores [B, I]."""
        return self._factors.user_UF[user_B] @ self._factors.item_IF.T

    def item_vectors(self) -> None:
        """Return no vectors."""

    def weights(self) -> dict[str, torch.Tensor]:
        """Return nothing worth storing."""
        return {}


def histories(users: int, items: int) -> Dataset:
    """Return a dataset in which users own a geometric number of items, popular ones more often."""
    random = np.random.default_rng(0)
    length_U = np.minimum(random.geometric(1 / _PER_USER, users), items // 2)
    user_E = np.repeat(np.arange(users), length_U)
    item_E = (items * random.random(len(user_E)) ** 2).astype(np.int64)
    pair_E = np.unique(user_E * items + item_E)
    events = len(pair_E)
    no_vectors_I0 = np.zeros((items, 0), np.float32)
    none_I = np.zeros(items, np.bool_)
    no_edges_K = np.zeros(0, np.int64)
    return Dataset(
        users=[f"{number:09d}" for number in range(users)],
        items=[f"{number:09d}" for number in range(items)],
        event_user_E=pair_E // items,
        event_item_E=pair_E % items,
        in_core_E=np.ones(events, np.bool_),
        validation_E=np.zeros(events, np.bool_),
        review_E=np.full(events, -1),
        review_RT=np.zeros((0, 0), np.float32),
        text_IT=no_vectors_I0,
        text_present_I=none_I,
        text_from_reviews_I=none_I,
        image_IV=no_vectors_I0,
        image_present_I=none_I,
        edge_src_K=no_edges_K,
        edge_dst_K=no_edges_K,
        edge_weight_K=np.zeros(0, np.float32),
        reviews_per_user=1,
        reviews_per_item=1,
    )


def bare_search(model: RandomFactors, k: int) -> None:
    """Index and search, as FAISS's own manual does it."""
    factors = model.factors()
    search(inner_product_index(factors.item_IF.numpy()), factors.user_UF.numpy(), k)


def rank_unowned(model: Model, dataset: Dataset, k: int) -> None:
    """Rank as publishing does: for each user the top K of what they do not own."""
    served = sum(int((slates.count_B == k).sum()) for slates in top_k(model, dataset, k))
    assert served == len(dataset.users)


def seconds(work: Callable[[], None]) -> float:
    """Return how long `work` took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, number in (("--users", 35_598), ("--items", 18_357), ("--width", 65), ("-k", 20), ("--rounds", 3)):
        parser.add_argument(name, type=int, default=number)
    args = parser.parse_args()
    model = RandomFactors(args.users, args.items, args.width)
    dataset = histories(args.users, args.items)
    bare: list[float] = []
    masked: list[float] = []
    for _ in range(args.rounds):
        bare.append(seconds(lambda: bare_search(model, args.k)))
        masked.append(seconds(lambda: rank_unowned(model, dataset, args.k)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{args.users} users x {args.items} items x {args.width} factors, k = {args.k}, GPU: {gpu_available()}")
    print(f"bare FAISS search        {min(bare):7.2f} s   rounds: {' '.join(f'{round_:.2f}' for round_ in bare)}")
    print(f"top-K with owned masked  {min(masked):7.2f} s   rounds: {' '.join(f'{round_:.2f}' for round_ in masked)}")
    print(f"speed ratio {min(bare) / min(masked):.2f} (goal: at least {GOAL}), peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
