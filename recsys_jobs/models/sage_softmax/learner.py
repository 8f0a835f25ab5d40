"""`sage_fm` reduced to what carries it where there are only identifiers and short texts, and trained for ranking.

h = E + F W + C V + T (E + F W + C V)      free rows, terms, text and image, and those of the nearest texts
x = h + A'A h + ... (A'A)^L h              A = D_u^-1/2 X D_i^-1/2
u = A_u x                                  y_ui = b_i + cos(u, x_i) / temperature

A'A is the co-review graph, each edge damped by how much its people and its two items had, in two factors;
x is L linear GraphSAGE layers over it (Hamilton et al. 2017; without a weight matrix between them, as in
LightGCN, He et al. 2020), and T one over the graph of alike texts. Users are means of their histories as in
the main model, so nobody has a vector of its own. y is the factorization machine's folded form: a linear
term of the item and the pairs across. The attention over modalities is a plain sum here.

Each step takes some users, asks for a share of their items and hides these from X at once, so that nothing
sees itself; the loss is the softmax over all items.

U users, I items, B users of a batch, T targets, D width, G terms, C content width.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.base.vector_model import VectorModel
from recsys_jobs.models.base.weights import packed, restored, unpacked
from recsys_jobs.models.layers.sparse import Sparse, multiply, pair
from recsys_jobs.models.sage_softmax.item_inputs import ItemInputs, item_inputs
from recsys_jobs.models.sage_softmax.recipe import SageGraphRecipe, SageSoftmaxRecipe
from recsys_jobs.torch_common import losses
from recsys_jobs.torch_common.devices import to_device
from recsys_jobs.training import loop
from recsys_jobs.training.learner import EpochLog, EventSplit
from recsys_jobs.training.sampling import batches, held_out

_FREE, _BIAS = "free_ID", "bias_I"


class Step(NamedTuple):
    """One step: its users, and the items that they are to find."""

    user_B: Ints
    row_T: Ints  # of the batch
    item_T: Ints


class SageSoftmax(nn.Module):
    """What is learned: free rows of items that were met, terms, the contents' projection, biases."""

    def __init__(self, recipe: SageGraphRecipe, met_I: Tensor, terms: int, content_width: int) -> None:
        super().__init__()
        self.recipe = recipe
        start = partial(torch.normal, 0.0, recipe.start_scale)
        self.free_ID = nn.Parameter(start((len(met_I), recipe.width)) * met_I[:, None])
        self.bias_I = nn.Parameter(torch.zeros(len(met_I)))
        self.term_GD = nn.Parameter(start((terms, recipe.width)))
        self.content_CD = nn.Parameter(start((content_width, recipe.width)))

    def forward(self, inputs: ItemInputs, history_UI: Sparse) -> Tensor:
        """Return every item's vector x [I, D] by a history, which is A."""
        layer_ID = self.free_ID + multiply(inputs.term_IG, self.term_GD) + inputs.content_IC @ self.content_CD
        if inputs.alike_II is not None:
            layer_ID = layer_ID + multiply(inputs.alike_II, layer_ID)
        item_ID = layer_ID
        for _ in range(self.recipe.layers):
            layer_ID = multiply(Sparse(history_UI.transposed, history_UI.matrix), multiply(history_UI, layer_ID))
            item_ID = item_ID + layer_ID
        return item_ID


class SageSoftmaxLearner:
    """The network and its users (the protocol of learner.py)."""

    def __init__(self, dataset: Dataset, recipe: SageSoftmaxRecipe, parts: EventSplit, device: torch.device) -> None:
        self.dataset, self.recipe, self.device = dataset, recipe, device
        self.seen_UI = events_matrix(dataset, parts.seen_E)
        self.target_UI = events_matrix(dataset, parts.target_E)
        self.seen_U = np.diff(self.seen_UI.indptr)
        self.user_N = users_to_ask(self.target_UI, self.seen_U)
        self.scaled_UI = scaled(self.seen_UI)
        self.term_G = np.unique(dataset.term_P)
        self.inputs = item_inputs(dataset, self.term_G, recipe, device)
        met_I = met(dataset)
        self.outside_I = (met_I == 0) & (not recipe.whole_catalogue)
        self.network = SageSoftmax(recipe, met_I, len(self.term_G), self.inputs.content_IC.shape[1]).to(device)
        keep_unmet_empty(self.network, met_I)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return all of them at one rate."""
        return [{"params": list(self.network.parameters()), "lr": self.recipe.learning_rate}]

    def batches(self, random: np.random.Generator) -> Iterator[Step]:
        """Yield one pass over the users."""
        for batch in batches(len(self.user_N), self.recipe.steps_per_epoch, self.recipe.min_batch, random):
            user_B = self.user_N[batch]
            yield Step(user_B, *held_out(self.target_UI, self.seen_U, user_B, self.recipe.held_out, random))

    def loss(self, step: Step) -> Tensor:
        """Return the softmax loss over all items, the history that is left apart."""
        left_UI = without_pairs(self.scaled_UI, step.user_B[step.row_T], step.item_T)
        left_BI = left_UI[step.user_B]
        item_ID = self.network(self.inputs, pair(left_UI, self.device))
        user_BD = multiply(pair(left_BI, self.device), item_ID)
        score_BI = unit(user_BD) @ unit(item_ID).T / self.recipe.temperature + self.network.bias_I
        row_T, item_T = (to_device(a, self.device) for a in (step.row_T, step.item_T))
        excluded_BI = torch.from_numpy(left_BI.toarray() > 0) | self.outside_I
        return losses.held_out_softmax(score_BI, row_T, item_T, excluded_BI.to(self.device))

    def validate(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' scores."""
        user_UD, item_ID = vectors(self.network, self.inputs, self.scaled_UI)
        return user_UD[user_B] @ item_ID.T + self.network.bias_I, {}

    def fitted(self, epochs: int, history: list[EpochLog]) -> VectorModel:
        """Return the model over the whole dataset."""
        return _model(self.network, self.inputs, self.dataset, self.term_G, epochs, history)


def met(dataset: Dataset) -> Tensor:
    """Return 1.0 for the items of the core, which training meets, 0.0 for the others [I]."""
    met_I = torch.zeros(len(dataset.items))
    met_I[dataset.event_item_E[dataset.in_core_E]] = 1
    return met_I


def keep_unmet_empty(network: SageSoftmax, met_I: Tensor) -> None:
    """Leave what nobody had without a row of its own: its contents and a bias say it all."""
    mask_I1 = met_I[:, None].to(network.free_ID.device)
    network.free_ID.register_hook(lambda gradient_ID: gradient_ID * mask_I1)


def users_to_ask(target_UI: sparse.csr_matrix, seen_U: Ints) -> Ints:
    """Return who has something to find and something to be known by; JobError where nobody has."""
    user_N = np.flatnonzero((np.diff(target_UI.indptr) > 0) & (seen_U > 1))
    if not len(user_N):
        raise JobError("nothing to train on: no user has two events; lower user_core, or take a later date")
    return user_N


def scaled(history_UI: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return A = D_u^-1/2 X D_i^-1/2, degrees at least 1."""
    degree_U = np.maximum(np.diff(history_UI.indptr), 1)
    degree_I = np.maximum(np.bincount(history_UI.indices, minlength=history_UI.shape[1]), 1)
    matrix = sparse.diags_array(degree_U**-0.5) @ history_UI @ sparse.diags_array(degree_I**-0.5)
    matrix = sparse.csr_matrix(matrix).astype(np.float32)
    matrix.sort_indices()
    return matrix


def without_pairs(matrix_UI: sparse.csr_matrix, user_T: Ints, item_T: Ints) -> sparse.csr_matrix:
    """Return the matrix with 0 at some of its entries; those stay stored."""
    items = matrix_UI.shape[1]
    key_E = np.repeat(np.arange(matrix_UI.shape[0]), np.diff(matrix_UI.indptr)) * items + matrix_UI.indices
    value_E = matrix_UI.data.copy()
    value_E[np.searchsorted(key_E, user_T * items + item_T)] = 0
    return sparse.csr_matrix((value_E, matrix_UI.indices, matrix_UI.indptr), shape=matrix_UI.shape)


def unit(vector_ND: Tensor) -> Tensor:
    """Return vectors of length one; zero ones stay zero."""
    return functional.normalize(vector_ND, dim=1, eps=1e-6)


@torch.no_grad()
def vectors(network: SageSoftmax, inputs: ItemInputs, history_UI: sparse.csr_matrix) -> tuple[Tensor, Tensor]:
    """Return users' [U, D] and items' [I, D] vectors, whose inner product is the cosine over the temperature."""
    history = pair(history_UI, inputs.content_IC.device)
    item_ID = network(inputs, history)
    return unit(multiply(history, item_ID)) / network.recipe.temperature, unit(item_ID)


def _model(
    network: SageSoftmax,
    inputs: ItemInputs,
    dataset: Dataset,
    term_G: Ints,
    epochs: int,
    history: list[EpochLog],
) -> VectorModel:
    state = packed(network) | {"items.names": id_rows.pack(dataset.items), "terms": torch.from_numpy(term_G)}
    found = vectors(network, inputs, scaled(events_matrix(dataset)))
    return VectorModel(*found, state, epochs, history, bias_I=network.bias_I)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: SageSoftmaxRecipe) -> VectorModel:
    """Return the model of `weights` over a dataset: its own, or a later one with more users and items.

    An item that training did not meet is what its contents and the people who had it say.
    """
    state, known, term_G = unpacked(weights), id_rows.unpack(weights["items.names"]), weights["terms"].numpy()
    state = for_items(state, known, dataset.items)
    inputs = item_inputs(dataset, term_G, recipe, torch.device("cpu"))
    sizes = torch.zeros(len(dataset.items)), len(term_G), inputs.content_IC.shape[1]
    network = restored(lambda: SageSoftmax(recipe, *sizes), state, recipe.name)
    return _model(network, inputs, dataset, term_G, int(weights["epochs"]), [])


def for_items(state: dict[str, Tensor], known: list[str], ids: list[str]) -> dict[str, Tensor]:
    """Return a network's state for other items: no row of their own for those that it does not know."""
    new_I = torch.from_numpy(id_rows.rows_of(known, ids) < 0)
    unsold = state[_BIAS][~state[_FREE].any(1)]
    bias_I = id_rows.rows_for(state[_BIAS][:, None], known, ids)[:, 0]
    bias_I[new_I] = unsold.mean() if len(unsold) else 0.0  # else the newest would rank above all the unsold
    return state | {_FREE: id_rows.rows_for(state[_FREE], known, ids), _BIAS: bias_I}


fit = partial(loop.fit, SageSoftmaxLearner)
