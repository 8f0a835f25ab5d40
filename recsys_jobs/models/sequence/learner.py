"""How the families over sequences learn and are loaded: every place of a sequence is to find the next item.

Among candidates that a batch shares, by a softmax corrected for their number: with as many as there are
items it is the full one (Klenitskiy and Vasilev 2023), with fewer it comes close at a part of the cost
(gSASRec, Petrov and Macdonald 2023, says why one negative a pair does not).

A family is an item tower, which makes a vector of each item, and a body, which makes a user's vector of the
vectors of its items: what follows is the same for all. A user is scored by its last items of the whole
dataset, met at training or not; items that have no vector are left out of the sequence, and are scored as
the average item. Whoever has no item left is the average user.

U users, I items, E events, B batch of users, L places, N items of a step, T targets, C candidates, X columns of
context, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Bools, Dataset, Floats, Ints
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.base.vector_model import VectorModel, fill_unknown
from recsys_jobs.models.base.weights import packed, restored, unpacked
from recsys_jobs.models.sequence.event_sequences import Sequences, alike_batches, last_events, sequences
from recsys_jobs.models.sequence.recipe import SequenceRecipe
from recsys_jobs.torch_common import losses
from recsys_jobs.torch_common.devices import to_device
from recsys_jobs.training.learner import EpochLog, EventSplit
from recsys_jobs.training.sampling import shared_candidates

CATALOGUE, NAMES = "catalogue.item_ID", "items.names"  # among the weights: the items' vectors, and their ids
_PLACES = 32_768  # encoded at once where nothing is trained
_IDENTITY = "items.item_ID"  # the one tensor of the state that has a row an item
_ROWS = 8_192  # items whose vectors are made at once where nothing is trained


class Family(NamedTuple):
    """What tells one family over sequences from another.

    `items(dataset, recipe, known_I)` is the tower: called with items [N] it gives vectors [N, D], zeros for
    those it knows nothing of; its parameter `item_ID` has a row an item. `body(recipe)` is called with vectors
    [B, L, D] and what else is known of each event [B, L, X]. `context(events, recipe)` gives the latter [E, X].
    """

    items: Callable[[Dataset, Any, Bools], nn.Module]
    body: Callable[[Any], nn.Module]
    context: Callable[[Sequences, Any], Floats]


class Network(nn.Module):
    """Both parts of a family."""

    def __init__(self, family: Family, dataset: Dataset, recipe: SequenceRecipe, known_I: Bools) -> None:
        super().__init__()
        self.items = family.items(dataset, recipe, known_I)
        self.body = family.body(recipe)


class Batch(NamedTuple):
    """One step: the items that it is about, and rows of these: users' items, what comes next, the candidates."""

    item_N: Ints
    input_BL: Ints
    next_BL: Ints  # the one to find, -1 where there is none
    candidate_C: Ints
    context_BLX: Floats


class SequenceLearner:
    """The network and its training sequences (the protocol of learner.py)."""

    def __init__(
        self, family: Family, dataset: Dataset, recipe: SequenceRecipe, parts: EventSplit, device: torch.device
    ) -> None:
        self.family, self.dataset, self.recipe, self.device = family, dataset, recipe, device
        self.targets = sequences(dataset, parts.target_E)
        self.context_EX = family.context(self.targets, recipe)
        self.users = np.flatnonzero(self.targets.length_U > 1)
        if not len(self.users):
            raise JobError("nothing to train on: no user has two training events; lower user_core and item_core")
        known_I = np.isin(np.arange(len(dataset.items)), self.targets.item_E)
        self.network = Network(family, dataset, recipe, known_I).to(device)
        has_vector_I = item_vectors(self.network.items, len(dataset.items), device).any(1).cpu().numpy()
        # what nobody had yet is ranked as well, so that it has to lose here where it does not sell
        self.pool = np.flatnonzero(has_vector_I)
        self.seen = sequences(dataset, parts.seen_E, has_vector_I)

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Yield one pass over the users, those of about as many items together."""
        users = random.permutation(self.users)
        counts = np.minimum(self.targets.length_U[users] - 1, self.recipe.length)
        places = max(self.recipe.min_batch, int(counts.sum()) // self.recipe.min_steps)
        batches = alike_batches(counts, min(self.recipe.batch, places))
        for number in random.permutation(len(batches)):
            yield self._batch(users[batches[number]], random)

    def _batch(self, user_B: Ints, random: np.random.Generator) -> Batch:
        event_BL, count_B = last_events(self.targets, user_B, self.recipe.length + 1)
        has_next_BL = np.arange(1, event_BL.shape[1]) < count_B[:, None]
        candidate_C = shared_candidates(self.pool, self.recipe.negatives, random)
        items = np.append(self.targets.item_E[event_BL].ravel(), candidate_C)
        item_N, rows = np.unique(items, return_inverse=True)
        row_BL = rows[: event_BL.size].reshape(event_BL.shape)
        candidate_C = rows[event_BL.size :]
        next_BL = np.where(has_next_BL, row_BL[:, 1:], -1)
        return Batch(item_N, row_BL[:, :-1], next_BL, candidate_C, self.context_EX[event_BL[:, :-1]])

    def loss(self, batch: Batch) -> Tensor:
        """Return the cross-entropy of the next items among the candidates."""
        has_next = np.flatnonzero(batch.next_BL >= 0)
        place_T = to_device(has_next, self.device)
        next_T = to_device(batch.next_BL.ravel()[has_next], self.device)
        candidate_C = to_device(batch.candidate_C, self.device)
        item_N = to_device(batch.item_N, self.device)
        input_BL = to_device(batch.input_BL, self.device)
        vector_ND = self.network.items(item_N)
        context_BLX = to_device(batch.context_BLX, self.device)
        hidden_BLD = self.network.body(functional.embedding(input_BL, vector_ND), context_BLX)
        hidden_TD = functional.embedding(place_T, hidden_BLD.flatten(0, 1))
        positive_T = (hidden_TD * functional.embedding(next_T, vector_ND)).sum(1)
        score_TC = hidden_TD @ functional.embedding(candidate_C, vector_ND).T
        return losses.sampled_softmax(positive_T, score_TC, next_T[:, None] == candidate_C, len(self.pool))

    def validate(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' scores by the items of the seen events."""
        item_ID = item_vectors(self.network.items, len(self.dataset.items), self.device)
        context_EX = self.family.context(self.seen, self.recipe)
        user_BD = encode(self.network.body, self.recipe, item_ID, self.seen, context_EX, user_B.cpu().numpy())
        return fill_unknown(user_BD) @ fill_unknown(item_ID).T, {}

    def fitted(self, epochs: int, history: list[EpochLog]) -> VectorModel:
        """Return the model over the whole dataset."""
        return _model(self.family, self.network, self.dataset, self.recipe, epochs, history, self.device)


def no_context(events: Sequences, recipe: SequenceRecipe) -> Floats:
    """Return nothing for each event [E, 0]: of families that know items and their order alone."""
    return np.zeros((len(events.item_E), 0), np.float32)


@torch.no_grad()
def item_vectors(tower: nn.Module, items: int, device: torch.device) -> Tensor:
    """Return the vectors of all items [I, D], zeros where nothing is known of one."""
    tower.eval()
    return torch.cat([tower(item_N) for item_N in torch.arange(items, device=device).split(_ROWS)])


@torch.no_grad()
def encode(
    body: nn.Module, recipe: SequenceRecipe, item_ID: Tensor, events: Sequences, context_EX: Floats, user_B: Ints
) -> Tensor:
    """Return the vectors of users by their last items [B, D], zeros for those who have none."""
    body.eval()
    device = item_ID.device
    vector_BD = item_ID.new_zeros(len(user_B), item_ID.shape[1])
    length_B = np.minimum(events.length_U[user_B], recipe.length)
    user_with_history = np.flatnonzero(length_B)
    for batch in alike_batches(length_B[user_with_history], _PLACES) if len(user_with_history) else []:
        event_BL, count_B = last_events(events, user_B[user_with_history[batch]], recipe.length)
        item_BLD = functional.embedding(to_device(events.item_E[event_BL], device), item_ID)
        hidden_BLD = body(item_BLD, to_device(context_EX[event_BL], device))
        rows = to_device(user_with_history[batch], device)
        vector_BD[rows] = hidden_BLD[torch.arange(len(count_B), device=device), to_device(count_B - 1, device)]
    return vector_BD


def _model(
    family: Family,
    network: Network,
    dataset: Dataset,
    recipe: SequenceRecipe,
    epochs: int,
    history: list[EpochLog],
    device: torch.device,
) -> VectorModel:
    item_ID = item_vectors(network.items, len(dataset.items), device)
    all_events = sequences(dataset, np.ones_like(dataset.in_core_E), item_ID.any(1).cpu().numpy())
    context_EX = family.context(all_events, recipe)
    user_UD = encode(network.body, recipe, item_ID, all_events, context_EX, np.arange(len(dataset.users)))
    state = packed(network) | {NAMES: id_rows.pack(dataset.items), CATALOGUE: item_ID}
    return VectorModel(fill_unknown(user_UD), fill_unknown(item_ID), state, epochs, history)


def load(family: Family, weights: dict[str, Tensor], dataset: Dataset, recipe: SequenceRecipe) -> VectorModel:
    """Return the model of `weights` over a dataset: its own, or a later one with more users and items.

    Raises JobError where the weights are of another recipe.
    """
    state = unpacked(weights)
    identity_ID = id_rows.rows_for(state[_IDENTITY], id_rows.unpack(weights[NAMES]), dataset.items)
    known_I = np.ones(len(dataset.items), np.bool_)
    build = partial(Network, family, dataset, recipe, known_I)
    network = restored(build, state | {_IDENTITY: identity_ID}, recipe.name)
    return _model(family, network, dataset, recipe, int(weights["epochs"]), [], torch.device("cpu"))
