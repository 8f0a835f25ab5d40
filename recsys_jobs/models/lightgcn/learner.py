"""LightGCN (He et al. 2020); with no layers it is matrix factorisation by BPR (Rendle et al. 2009), `bpr_mf`.

h_0 = E        h_l = A h_(l-1)        x = mean of h_0 ... h_L        score = x_u . x_i
A = D^-1/2 [[0, X], [X^T, 0]] D^-1/2        loss = BPR or sampled softmax + l2 |E of the pair's nodes|^2 / 2

X has the pairs that are trained on; whoever is scored is scored by all that the dataset says of them. A
node that training did not meet keeps a row of zeros in E. It starts from the mean of its neighbours'
rows instead: so a new user of `bpr_mf` is the mean of the items it had, and an item of the users who had
it. Users and items without any neighbour are the average of all the others.

U users, I items, N nodes (users, then items), B pairs of a batch (in a look: users), C candidates, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.base.vector_model import VectorModel, fill_unknown
from recsys_jobs.models.layers.sparse import to_torch
from recsys_jobs.models.lightgcn.recipe import LightGCNRecipe
from recsys_jobs.torch_common import losses
from recsys_jobs.torch_common.devices import to_device
from recsys_jobs.training import loop
from recsys_jobs.training.learner import EpochLog, EventSplit
from recsys_jobs.training.sampling import (
    Positives,
    batches,
    owned_among,
    positives,
    shared_candidates,
    uniform_negatives,
)


class Batch(NamedTuple):
    """One step: its pairs, and the items that they are compared with."""

    user_B: Ints
    item_B: Ints
    other: Ints  # each pair's own negative [B] for bpr, candidates that all share [C] for softmax


class Nodes(nn.Module):
    """E: one learned row a node that is among the pairs or their negatives, zeros for the others."""

    def __init__(self, pairs: Positives, users: int, recipe: LightGCNRecipe) -> None:
        super().__init__()
        met_N = torch.zeros(users + pairs.items, 1)
        met_N[np.concatenate([pairs.user_P, users + pairs.pool_N])] = 1
        self.vector_ND = nn.Parameter(torch.randn(len(met_N), recipe.width) * recipe.start_scale * met_N)


class LightGCNLearner:
    """The nodes and their training pairs (the protocol of learner.py)."""

    def __init__(self, dataset: Dataset, recipe: LightGCNRecipe, parts: EventSplit, device: torch.device) -> None:
        self.dataset, self.recipe, self.device = dataset, recipe, device
        self.users = len(dataset.users)
        self.pairs = positives(dataset, parts.target_E, parts.seen_E)
        self.seen_UI = events_matrix(dataset, parts.seen_E)
        self.graph = adjacency(events_matrix(dataset, parts.target_E), device)
        self.network = Nodes(self.pairs, self.users, recipe).to(device)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the one parameter."""
        return [{"params": list(self.network.parameters()), "lr": self.recipe.learning_rate}]

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Yield one pass over the training pairs."""
        recipe, pairs = self.recipe, self.pairs
        for batch in batches(len(pairs.user_P), recipe.steps_per_epoch, recipe.min_batch, random):
            user_B = pairs.user_P[batch]
            other = (
                uniform_negatives(pairs, user_B, random)
                if recipe.loss == "bpr"
                else shared_candidates(pairs.pool_N, recipe.negatives, random)
            )
            yield Batch(user_B, pairs.item_P[batch], other)

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of one batch of pairs, the graph being propagated once."""
        start_ND = self.network.vector_ND
        vector_ND = propagate(start_ND, self.graph, self.recipe.layers)
        parts = (batch.user_B, self.users + batch.item_B, self.users + batch.other)
        node_N = to_device(np.concatenate(parts), self.device)
        # one look-up: each has a gradient as large as E, which embedding, unlike index_select, fills row by row
        row_ND = vector_ND.index_select(0, node_N)
        start_row_ND = row_ND if vector_ND is start_ND else start_ND.index_select(0, node_N)
        return self._ranking(batch, *row_ND.split([len(part) for part in parts])) + self._penalty(batch, start_row_ND)

    def _ranking(self, batch: Batch, user_BD: Tensor, item_BD: Tensor, other_D: Tensor) -> Tensor:
        if self.recipe.loss == "bpr":
            return losses.bpr((user_BD * (item_BD - other_D)).sum(1))
        positive_B = (user_BD * item_BD).sum(1)
        owned_BC = torch.from_numpy(owned_among(self.seen_UI, batch.user_B, batch.other)).to(self.device)
        return losses.sampled_softmax(positive_B, user_BD @ other_D.T, owned_BC, len(self.pairs.pool_N))

    def _penalty(self, batch: Batch, start_row_ND: Tensor) -> Tensor:
        """Return l2 / 2 of a pair's rows; candidates that all share are no pair's."""
        pairs = len(batch.user_B)
        own_ND = start_row_ND if self.recipe.loss == "bpr" else start_row_ND[: 2 * pairs]
        return self.recipe.l2 / 2 * own_ND.square().sum() / pairs

    def validate(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' scores."""
        user_UD, item_ID = vectors(self.network.vector_ND, self.seen_UI, self.recipe.layers, self.device)
        return user_UD[user_B] @ item_ID.T, {}

    def fitted(self, epochs: int, history: list[EpochLog]) -> VectorModel:
        """Return the model over the whole dataset."""
        return _model(self.network.vector_ND.detach(), self.dataset, self.recipe, epochs, history, self.device)


def adjacency(history_UI: sparse.csr_matrix, device: torch.device) -> Tensor:
    """Return A [N, N], torch CSR; symmetric."""
    both_NN = _bipartite(history_UI)
    scale_NN = sparse.diags_array(np.maximum(np.diff(both_NN.indptr), 1) ** -0.5)
    return to_torch((scale_NN @ both_NN @ scale_NN).tocsr(), device)


def _bipartite(history_UI: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return [[0, X], [X^T, 0]]."""
    return sparse.block_array([[None, history_UI], [history_UI.T, None]], format="csr")


def propagate(start_ND: Tensor, graph: Tensor, layers: int) -> Tensor:
    """Return the mean [N, D] of what each layer makes of the one before; `graph` is symmetric."""
    if not layers:
        return start_ND
    result: Tensor = _Propagate.apply(graph, layers, start_ND)
    return result


class _Propagate(torch.autograd.Function):
    """(1 + A + ... + A^L) E / (L + 1), by Horner's rule; symmetric, so that its gradient is the same sum."""

    @staticmethod
    def forward(ctx: Any, graph: Tensor, layers: int, start_ND: Tensor) -> Tensor:
        ctx.graph, ctx.layers = graph, layers
        return _mean_of_layers(graph, layers, start_ND)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor]:
        return None, None, _mean_of_layers(ctx.graph, ctx.layers, grads[0])


def _mean_of_layers(graph: Tensor, layers: int, start_ND: Tensor) -> Tensor:
    with torch.autocast(start_ND.device.type, enabled=False):
        total_ND = start_ND = start_ND.float().contiguous()
        for _ in range(layers):
            total_ND = torch.addmm(start_ND, graph, total_ND)
        return total_ND.div_(layers + 1)


def vectors(
    start_ND: Tensor, history_UI: sparse.csr_matrix, layers: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the vectors of users [U, D] and items [I, D] by a history, those of unknown ones included."""
    both = to_torch(_bipartite(history_UI), device)
    met_N = start_ND.any(1, keepdim=True)
    neighbours_ND = (both @ start_ND) / (both @ met_N.float()).clamp(min=1)
    start_ND = torch.where(met_N, start_ND, neighbours_ND)
    user_UD, item_ID = propagate(start_ND, adjacency(history_UI, device), layers).split(list(history_UI.shape))
    return fill_unknown(user_UD), fill_unknown(item_ID)


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
    found = vectors(start_ND, events_matrix(dataset), recipe.layers, device)
    return VectorModel(*found, state, epochs, history)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: LightGCNRecipe) -> VectorModel:
    """Return the model of `weights` over a dataset: its own, or a later one with more users and items."""
    user_UD = id_rows.rows_for(weights["users.vectors"], id_rows.unpack(weights["users.names"]), dataset.users)
    item_ID = id_rows.rows_for(weights["items.vectors"], id_rows.unpack(weights["items.names"]), dataset.items)
    start_ND = torch.cat([user_UD, item_ID])
    return _model(start_ND, dataset, recipe, int(weights["epochs"]), [], torch.device("cpu"))


fit = partial(loop.fit, LightGCNLearner)
