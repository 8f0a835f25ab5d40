"""How `lightgcn` and `bpr_mf` learn and are loaded (see network.py).

loss = BPR + l2 |E of the pair's nodes|^2 / 2

U users, I items, N nodes (users, then items), B pairs of a batch (in a validation: users), D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.base.vector_model import VectorModel
from recsys_jobs.models.lightgcn.network import (
    Nodes,
    adjacency,
    propagate,
    vectors,
)
from recsys_jobs.models.lightgcn.recipe import LightGCNRecipe
from recsys_jobs.torch_common import losses
from recsys_jobs.torch_common.devices import to_device
from recsys_jobs.training import loop
from recsys_jobs.training.learner import EpochLog, EventSplit
from recsys_jobs.training.pairwise import pair_batches, positives, uniform_negatives


class Batch(NamedTuple):
    """One step: its pairs, and the items that they are compared with."""

    user_B: Ints
    item_B: Ints
    negative_B: Ints  # each pair's own negative


class LightGCNLearner:
    """The nodes and their training pairs (the protocol of learner.py)."""

    def __init__(self, dataset: Dataset, recipe: LightGCNRecipe, parts: EventSplit, device: torch.device) -> None:
        self.dataset, self.recipe, self.device = dataset, recipe, device
        self.users = len(dataset.users)
        self.pairs = positives(dataset, parts.target_E, parts.seen_E)
        self.seen_UI = events_matrix(dataset, parts.seen_E)
        self.graph = adjacency(events_matrix(dataset, parts.target_E), device)
        self.network = Nodes(self.pairs, self.users, recipe).to(device)

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Yield one pass over the training pairs."""
        recipe, pairs = self.recipe, self.pairs
        for user_B, item_B in pair_batches(pairs, recipe.steps_per_epoch, recipe.min_batch, random):
            yield Batch(user_B, item_B, uniform_negatives(pairs, user_B, random))

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of one batch of pairs, the graph being propagated once."""
        start_ND = self.network.vector_ND
        vector_ND = propagate(start_ND, self.graph, self.recipe.layers)
        parts = (batch.user_B, self.users + batch.item_B, self.users + batch.negative_B)
        node_N = to_device(np.concatenate(parts), self.device)
        # one look-up: each has a gradient as large as E, which embedding, unlike index_select, fills row by row
        row_ND = vector_ND.index_select(0, node_N)
        start_row_ND = row_ND if vector_ND is start_ND else start_ND.index_select(0, node_N)
        user_BD, item_BD, negative_BD = row_ND.chunk(3)
        penalty = self.recipe.l2 / 2 * start_row_ND.square().sum() / len(batch.user_B)
        return losses.bpr((user_BD * (item_BD - negative_BD)).sum(1)) + penalty

    def validate(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' scores."""
        user_UD, item_ID = vectors(self.network.vector_ND, self.seen_UI, self.recipe.layers, self.device)
        return user_UD[user_B] @ item_ID.T, {}

    def fitted(self, epochs: int, history: list[EpochLog]) -> VectorModel:
        """Return the model over the whole dataset."""
        return _model(self.network.vector_ND.detach(), self.dataset, self.recipe, epochs, history, self.device)


def _model(
    start_ND: Tensor,
    dataset: Dataset,
    recipe: LightGCNRecipe,
    epochs: int,
    history: list[EpochLog],
    device: torch.device,
) -> VectorModel:
    user_UD, item_ID = start_ND.split([len(dataset.users), len(dataset.items)])
    state = {
        "users.vectors": user_UD,
        "users.names": id_rows.pack(dataset.users),
        "items.vectors": item_ID,
        "items.names": id_rows.pack(dataset.items),
    }
    final_user_UD, final_item_ID = vectors(start_ND, events_matrix(dataset), recipe.layers, device)
    return VectorModel(final_user_UD, final_item_ID, state, epochs, history)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: LightGCNRecipe) -> VectorModel:
    """Return the model of `weights` over a dataset: its own, or a later one with more users and items."""
    user_ids = id_rows.unpack(weights["users.names"])
    item_ids = id_rows.unpack(weights["items.names"])
    user_UD = id_rows.rows_for(weights["users.vectors"], user_ids, dataset.users)
    item_ID = id_rows.rows_for(weights["items.vectors"], item_ids, dataset.items)
    start_ND = torch.cat([user_UD, item_ID])
    return _model(start_ND, dataset, recipe, int(weights["epochs"]), [], torch.device("cpu"))


fit = partial(loop.fit, LightGCNLearner)
