"""How `sage_fm_softmax` learns: each step hides what it asks for (see network.py).

Each step takes some users, asks for a share of their items and hides these from the history at once, so that nothing
sees itself; the loss is the softmax over all items.

U users, I items, E events, N users who are trained on, B users of a batch, T targets, D width, G terms, C content
width.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.models.base.vector_model import VectorModel
from recsys_jobs.models.layers.sparse import multiply, pair
from recsys_jobs.models.sage_softmax.item_inputs import ItemInputs, item_inputs
from recsys_jobs.models.sage_softmax.network import (
    SageSoftmax,
    core_items,
    freeze_untrained_rows,
    load_network,
    network_state,
    scaled,
    unit,
    vectors,
)
from recsys_jobs.models.sage_softmax.recipe import SageSoftmaxRecipe
from recsys_jobs.torch_common import losses
from recsys_jobs.torch_common.devices import to_device
from recsys_jobs.training import loop
from recsys_jobs.training.learner import EpochLog, EventSplit
from recsys_jobs.training.sampling import batches, held_out


class Step(NamedTuple):
    """One step: its users, and the items that they are to find."""

    user_B: Ints
    row_T: Ints  # of the batch
    item_T: Ints


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
        trained_I = core_items(dataset)
        self.outside_I = (trained_I == 0) & (not recipe.whole_catalogue)
        self.network = SageSoftmax(recipe, trained_I, len(self.term_G), self.inputs.content_IC.shape[1]).to(device)
        freeze_untrained_rows(self.network, trained_I)

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
        cosine_BI = unit(user_BD) @ unit(item_ID).T
        score_BI = cosine_BI / self.recipe.temperature + self.network.bias_I
        row_T = to_device(step.row_T, self.device)
        item_T = to_device(step.item_T, self.device)
        excluded_BI = torch.from_numpy(left_BI.toarray() > 0) | self.outside_I
        return losses.held_out_softmax(score_BI, row_T, item_T, excluded_BI.to(self.device))

    def validate(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' scores."""
        user_UD, item_ID = vectors(self.network, self.inputs, self.scaled_UI)
        return user_UD[user_B] @ item_ID.T + self.network.bias_I, {}

    def fitted(self, epochs: int, history: list[EpochLog]) -> VectorModel:
        """Return the model over the whole dataset."""
        return _model(self.network, self.inputs, self.dataset, self.term_G, epochs, history)


def users_to_ask(target_UI: sparse.csr_matrix, seen_U: Ints) -> Ints:
    """Return the users with a target and another event to be known by; JobError where there is none."""
    user_N = np.flatnonzero((np.diff(target_UI.indptr) > 0) & (seen_U > 1))
    if not len(user_N):
        raise JobError("nothing to train on: no user has two events; lower user_core, or take a later date")
    return user_N


def without_pairs(matrix_UI: sparse.csr_matrix, user_T: Ints, item_T: Ints) -> sparse.csr_matrix:
    """Return the matrix with 0 at some of its entries; those stay stored."""
    users, items = matrix_UI.shape
    row_E = np.repeat(np.arange(users), np.diff(matrix_UI.indptr))
    key_E = row_E * items + matrix_UI.indices
    value_E = matrix_UI.data.copy()
    value_E[np.searchsorted(key_E, user_T * items + item_T)] = 0
    return sparse.csr_matrix((value_E, matrix_UI.indices, matrix_UI.indptr), shape=matrix_UI.shape)


def _model(
    network: SageSoftmax,
    inputs: ItemInputs,
    dataset: Dataset,
    term_G: Ints,
    epochs: int,
    history: list[EpochLog],
) -> VectorModel:
    state = network_state(network, dataset, term_G)
    user_UD, item_ID = vectors(network, inputs, scaled(events_matrix(dataset)))
    return VectorModel(user_UD, item_ID, state, epochs, history, bias_I=network.bias_I)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: SageSoftmaxRecipe) -> VectorModel:
    """Return the model of `weights` over a dataset: its own, or a later one with more users and items."""
    network, inputs, term_G = load_network(SageSoftmax, weights, dataset, recipe)
    return _model(network, inputs, dataset, term_G, int(weights["epochs"]), [])


fit = partial(loop.fit, SageSoftmaxLearner)
