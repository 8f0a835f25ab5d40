"""How `ncf_rating` learns: the squared error of stars, stopped by that of the validation part's stars.

Slates show a user the items of the most stars that it would give (the seed's top ten).
U users, I items, E events, N pairs, B batch of users, D width, G genres.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Bools, Dataset, Floats, Ints
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.base.weights import packed, restored, unpacked
from recsys_jobs.models.ncf.network import Contents, Ncf
from recsys_jobs.models.ncf.recipe import NcfRecipe
from recsys_jobs.torch_common.devices import to_device
from recsys_jobs.training import loop
from recsys_jobs.training.learner import EpochLog, EventSplit

_PAIR_BLOCK = 65_536  # predicted at once


class Batch(NamedTuple):
    """One step: pairs and their stars."""

    user_N: Ints
    item_N: Ints
    rating_N: Floats


class NcfLearner:
    """The network and its rated pairs (the protocol of learner.py)."""

    def __init__(self, dataset: Dataset, recipe: NcfRecipe, parts: EventSplit, device: torch.device) -> None:
        self.dataset, self.recipe, self.device = dataset, recipe, device
        rated_E = has_stars(dataset)
        unseen_E = dataset.validation_E & ~parts.seen_E
        self.pairs = _pairs(dataset, parts.target_E & rated_E)
        self.validation_pairs = _pairs(dataset, unseen_E & rated_E)
        if not len(self.pairs.user_N):
            raise JobError(f"{recipe.name} learns from stars, and no training event has any: choose another recipe")
        trained_U = np.isin(np.arange(len(dataset.users)), self.pairs.user_N)
        trained_I = np.isin(np.arange(len(dataset.items)), self.pairs.item_N)
        self.contents = Contents(dataset).to(device)
        widths = dataset.text_IT.shape[1], dataset.genre_IG.shape[1]
        self.network = Ncf(recipe, trained_U, trained_I, *widths).to(device)
        self.network.start(dataset, torch.from_numpy(self.pairs.rating_N))

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Yield one pass over the rated pairs."""
        order = random.permutation(len(self.pairs.user_N))
        for start in range(0, len(order), self.recipe.batch):
            chosen = order[start : start + self.recipe.batch]
            user_N, item_N = self.pairs.user_N[chosen], self.pairs.item_N[chosen]
            yield Batch(user_N, item_N, self.pairs.rating_N[chosen])

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean squared error in stars."""
        user_N = to_device(batch.user_N, self.device)
        item_N = to_device(batch.item_N, self.device)
        stars_N = self.network(self.contents, user_N, item_N)
        return functional.mse_loss(stars_N.float(), torch.from_numpy(batch.rating_N).to(self.device))

    def validate(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' stars for every item, and the squared error on the validation part's stars."""
        score_BI = self.network.all_items(self.contents, user_B)
        if not len(self.validation_pairs.user_N):
            return score_BI, {}
        pairs = self.validation_pairs
        stars_N = predict(self.network, self.contents, pairs.user_N, pairs.item_N)
        rating_N = torch.from_numpy(pairs.rating_N)
        return score_BI, {"validation_loss": functional.mse_loss(stars_N, rating_N).item()}

    def fitted(self, epochs: int, history: list[EpochLog]) -> FittedNcf:
        """Return the model over the whole dataset."""
        return FittedNcf(self.network, self.dataset, epochs, history)


def has_stars(dataset: Dataset) -> Bools:
    """Return which events have stars [E]."""
    if not len(dataset.rating_E):
        return np.zeros(len(dataset.event_user_E), np.bool_)
    return ~np.isnan(dataset.rating_E)


def _pairs(dataset: Dataset, chosen_E: Bools) -> Batch:
    rating_E = dataset.rating_E if len(dataset.rating_E) else np.zeros(len(chosen_E), np.float32)
    return Batch(dataset.event_user_E[chosen_E], dataset.event_item_E[chosen_E], rating_E[chosen_E])


@torch.no_grad()
def predict(network: Ncf, contents: Contents, user_N: Ints, item_N: Ints) -> Tensor:
    """Return the stars of pairs [N], on the CPU and within the range that training saw."""
    network.eval()
    pairs = torch.from_numpy(np.stack([user_N, item_N])).to(network.mean.device)
    blocks = [network(contents, *block) for block in pairs.split(_PAIR_BLOCK, dim=1)]
    return torch.cat(blocks).float().clamp(*network.limits.tolist()).cpu()


class FittedNcf:
    """A trained network over a dataset (the contract of ranking/model.py, and `Rater`)."""

    def __init__(self, network: Ncf, dataset: Dataset, epochs: int, history: list[EpochLog]) -> None:
        self.network, self.epochs, self.history = network.eval(), epochs, history
        self._ids = dataset.users, dataset.items
        self._contents = Contents(dataset).to(network.mean.device)

    def score_block(self, user_B: Tensor) -> Tensor:
        """Return the stars [B, I], beyond the range where the network goes beyond it: cut off, the best would tie."""
        return self.network.all_items(self._contents, user_B.to(self.network.mean.device)).float().cpu()

    def predict_ratings(self, user_N: Tensor, item_N: Tensor) -> Tensor:
        """Return the stars [N] of pairs."""
        return predict(self.network, self._contents, user_N.numpy(), item_N.numpy())

    def factors(self) -> None:
        """None: layers stand between user and item."""
        return

    @torch.no_grad()
    def item_vectors(self) -> Tensor:
        """Return movie embedding, projected title and projected genres side by side [I, contents * D]."""
        item_I = torch.arange(len(self.network.item_ID), device=self.network.mean.device)
        return self.network.item_features(self._contents, item_I).cpu()

    def weights(self) -> dict[str, Tensor]:
        """Return the network, and whose its rows are."""
        users, items = self._ids
        row_ids = {"users.names": id_rows.pack(users), "items.names": id_rows.pack(items)}
        return packed(self.network) | row_ids | {"epochs": torch.tensor(self.epochs)}


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: NcfRecipe) -> FittedNcf:
    """Return the model of `weights` over a dataset: its own, or a later one with more users and items.

    Raises JobError where the weights are of another recipe, or of contents of other widths.
    """
    state = unpacked(weights)
    user_ids = id_rows.unpack(weights["users.names"])
    item_ids = id_rows.unpack(weights["items.names"])
    rows = {
        "user_UD": id_rows.rows_for(state["user_UD"], user_ids, dataset.users),
        "item_ID": id_rows.rows_for(state["item_ID"], item_ids, dataset.items),
    }
    untrained_U, untrained_I = (np.zeros(len(ids), np.bool_) for ids in (dataset.users, dataset.items))
    widths = dataset.text_IT.shape[1], dataset.genre_IG.shape[1]
    network = restored(lambda: Ncf(recipe, untrained_U, untrained_I, *widths), state | rows, recipe.name)
    return FittedNcf(network, dataset, int(weights["epochs"]), [])


fit = partial(loop.fit, NcfLearner)
