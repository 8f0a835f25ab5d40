"""Seeded noise as scores: the model that shows that an exam can be failed. B block of users, I items."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.ranking.model import Factors

_PRIME, _MODULUS = 48_271, 2**31 - 1  # Park and Miller's generator, which mixes well in 64-bit integers


class RandomModel:
    """A pair's score depends on the seed and the pair alone, not on the block it is scored in."""

    def __init__(self, items: int, seed: int) -> None:
        self.items = items
        self.seed = seed

    def score_block(self, user_B: Tensor) -> Tensor:
        """Return scores [B, I] between 0 and 1, float32."""
        user_B1 = _mixed(user_B + _mixed(torch.tensor(self.seed + 1)))[:, None]
        return _mixed(user_B1 ^ _mixed(torch.arange(self.items) + 1)).float() / _MODULUS

    def factors(self) -> Factors | None:
        """None: noise does not fold."""
        return None

    def item_vectors(self) -> Tensor | None:
        """None: noise does not say what is alike."""
        return None

    def weights(self) -> dict[str, Tensor]:
        """Return the number of items and the seed."""
        return {"items": torch.tensor([self.items]), "seed": torch.tensor([self.seed])}


def fit(dataset: Dataset, recipe: Any = None, *, seed: int = 0) -> RandomModel:
    """Return the model of a dataset."""
    return RandomModel(len(dataset.items), seed)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: Any = None) -> RandomModel:
    """Return the model of `weights`."""
    return RandomModel(int(weights["items"]), int(weights["seed"]))


def _mixed(value: Tensor) -> Tensor:
    """Return numbers in [0, 2^31 - 1) that do not show where they came from."""
    for _ in range(3):
        value = (value + 12_345) % _MODULUS * _PRIME % _MODULUS
        value = value ^ (value >> 15)
    return value % _MODULUS
