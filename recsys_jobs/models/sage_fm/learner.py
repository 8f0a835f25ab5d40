"""How `sage_fm` learns: the graph and the items of each step, its loss, what is logged of its attention.

U users, I items, E events, B pairs of a batch (in a validation: users), N candidates,
D width, M modalities.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.models.layers.alike_texts import alike_titles
from recsys_jobs.models.sage_fm.fitted import FittedSageFM, load, whole_graph
from recsys_jobs.models.sage_fm.graph_sage import View, view
from recsys_jobs.models.sage_fm.item_graph import drop_edges, without_pairs
from recsys_jobs.models.sage_fm.network import ITEM_MODALITIES, SageFM
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe
from recsys_jobs.models.sage_fm.visible_data import VisibleData, build_visible_data
from recsys_jobs.torch_common import losses
from recsys_jobs.torch_common.devices import to_device
from recsys_jobs.training import loop
from recsys_jobs.training.learner import EpochLog, EventSplit
from recsys_jobs.training.pairwise import pair_batches, positives, shared_softmax, uniform_negatives
from recsys_jobs.training.sampling import shared_candidates

__all__ = ["fit", "load"]


class Batch(NamedTuple):
    """One step: its pairs, the graph that they may see, and the items that they are compared with."""

    graph: View
    user_B: Ints
    item_B: Ints
    negatives: Ints  # each pair's own negative [B] for bpr, candidates that all share [N] for softmax


class SageFMLearner:
    """The network and its training pairs (the protocol of learner.py in training)."""

    def __init__(self, dataset: Dataset, recipe: SageFMRecipe, parts: EventSplit, device: torch.device) -> None:
        self.dataset, self.recipe, self.device = dataset, recipe, device
        self.pairs = positives(dataset, parts.target_E, parts.seen_E, recipe.whole_catalogue)
        alike_II = alike_titles(dataset, recipe.text_neighbours, device)
        self.visible = build_visible_data(dataset, parts.seen_E, device, alike_II)
        self.edge_keys = self.visible.graph.keys()
        self.owned_UI = events_matrix(dataset)  # validation included
        self.known_I = np.isin(np.arange(len(dataset.items)), dataset.event_item_E[parts.seen_E])
        self.network = SageFM(recipe, len(dataset.items), dataset.text_IT.shape[1], dataset.image_IV.shape[1])
        self.network.to(device)
        if not recipe.end_to_end:  # vectors of random encoders are nearly alike: their differences say nothing yet
            self.network.fit_projections(self.visible)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the node inputs, which have a rate of their own, and the rest."""
        nodes = self.network.graph.input_IG
        others = [parameter for parameter in self.network.parameters() if parameter is not nodes]
        return [
            {"params": others, "lr": self.recipe.learning_rate},
            {"params": [nodes], "lr": self.recipe.node_learning_rate},
        ]

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Yield one pass over the training pairs, with what each is compared with."""
        recipe, pairs = self.recipe, self.pairs
        for user_B, item_B in pair_batches(pairs, recipe.steps_per_epoch, recipe.min_batch, random):
            graph = self._training_graph(user_B, item_B, random)
            if recipe.loss == "bpr":
                negatives = uniform_negatives(pairs, user_B, random)
            else:
                negatives = shared_candidates(pairs.pool_N, recipe.negatives, random)
            yield Batch(graph, user_B, item_B, negatives)

    def _training_graph(self, user_B: Ints, item_B: Ints, random: np.random.Generator) -> View:
        """Return the graph of one step: without what its pairs gave it, some edges and some node inputs."""
        graph = self.visible.graph
        weight_II = graph.weight_II
        if self.recipe.hold_out_edges:
            weights = without_pairs(graph, self.edge_keys, self.visible.history_UI, user_B, item_B)
            structure = weight_II.indices, weight_II.indptr
            weight_II = sparse.csr_matrix((weights, *structure), shape=weight_II.shape)
        weight_II = drop_edges(weight_II, self.recipe.edge_dropout, random)
        undropped_I = random.random(len(self.known_I)) >= self.recipe.node_dropout
        return view(weight_II, self.known_I & undropped_I, self.recipe.weighted_edges, self.device)

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of one batch."""
        return self.loss_in(self.visible, batch)

    def loss_in(self, visible: VisibleData, batch: Batch) -> Tensor:
        """Return the loss of one batch; the same user vector meets the positive and the negatives."""
        penalty = self.recipe.l2 * torch.stack([p.square().sum() for p in self.network.parameters()]).sum()
        return penalty + self._pairs_loss(visible, batch)

    def _pairs_loss(self, visible: VisibleData, batch: Batch) -> Tensor:
        model = self.network
        items = model.encode_items(visible, batch.graph)
        user_B, item_B, negative_N = (to_device(array, self.device) for array in batch[1:])
        user_BD = model.encode_users(visible, items, user_B, leave_B=item_B).vector_BD
        positive_BD = model.positives(visible, items, item_B, user_B)
        positive_B = model.fm(user_BD, positive_BD)
        negative_ND = items.fused.vector_BD[negative_N]
        if self.recipe.loss == "bpr":
            return losses.bpr(positive_B - model.fm(user_BD, negative_ND))
        score_BN = model.fm.all_pairs(user_BD, negative_ND)
        return shared_softmax(
            positive_B, score_BN, self.owned_UI, batch.user_B, batch.negatives, len(self.pairs.pool_N)
        )

    def validate(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' scores, and the mean attention of each modality on users and on items."""
        graph = whole_graph(self.recipe, self.visible, self.known_I)
        items = self.network.encode_items(self.visible, graph)
        users = self.network.encode_users(self.visible, items, user_B)
        names = [f"attention_user_{name}" for name in self.network.user_attention.modalities]
        names += [f"attention_item_{name}" for name in ITEM_MODALITIES]
        means = [fused.attention_BM.float().mean(0) for fused in (users, items.fused)]
        scores_BI = self.network.fm.all_pairs(users.vector_BD, items.fused.vector_BD)
        return scores_BI, dict(zip(names, torch.cat(means).tolist(), strict=True))

    def fitted(self, epochs: int, history: list[EpochLog]) -> FittedSageFM:
        """Return the model over the whole dataset."""
        return FittedSageFM(self.network, self.dataset, self.known_I, epochs, history, self.device)


fit = partial(loop.fit, SageFMLearner)
