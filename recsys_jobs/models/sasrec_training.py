"""How `sasrec` learns and is loaded: every place of a sequence is to find the next item.

Among candidates that a batch shares, by a softmax corrected for their number: with as many as there are
items it is the full one (Klenitskiy and Vasilev 2023), with fewer it comes close at a part of the cost
(gSASRec, Petrov and Macdonald 2023, says why one negative a pair does not).

A user is scored by its last items of the whole dataset, met at training or not; items that training did
not meet are left out of the sequence, and are scored as the average item. Whoever has no item left is
the average user.

U users, I items, B batch of users, L places, T targets, C candidates, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recsys_jobs import losses, training
from recsys_jobs.dataset import Dataset, Ints
from recsys_jobs.devices import to_device
from recsys_jobs.errors import JobError
from recsys_jobs.learner import EpochLog, Parts
from recsys_jobs.models import names
from recsys_jobs.models.restore import packed, restored, unpacked
from recsys_jobs.models.sasrec import SASRec
from recsys_jobs.models.sequences import Sequences, alike_batches, last_items, sequences
from recsys_jobs.models.vector_model import VectorModel, fill_unknown
from recsys_jobs.recipes import SASRecRecipe
from recsys_jobs.sampling import shared_candidates

_PLACES = 32_768  # encoded at once where nothing is trained


class Batch(NamedTuple):
    """One step: users' items but the last, which of them come next, and what these are compared with."""

    item_BL: Ints
    next_BL: Ints  # the item to find, -1 where there is none
    candidate_C: Ints


class SASRecLearner:
    """The network and its training sequences (the protocol of learner.py)."""

    def __init__(self, dataset: Dataset, recipe: SASRecRecipe, parts: Parts, device: torch.device) -> None:
        self.dataset, self.recipe, self.device = dataset, recipe, device
        self.found = sequences(dataset, parts.target_E)
        self.users = np.flatnonzero(self.found.length_U > 1)
        if not len(self.users):
            raise JobError("nothing to train on: no user has two training events; lower user_core and item_core")
        known_I = np.isin(np.arange(len(dataset.items)), self.found.item_E)
        self.pool = np.flatnonzero(known_I)
        self.seen = sequences(dataset, parts.seen_E, known_I)
        self.network = SASRec(recipe, known_I).to(device)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return all parameters in one group."""
        return [{"params": list(self.network.parameters()), "lr": self.recipe.learning_rate}]

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Yield one pass over the users, those of about as many items together."""
        user_N = random.permutation(self.users)
        targets_N = np.minimum(self.found.length_U[user_N] - 1, self.recipe.length)
        batches = alike_batches(targets_N, self.recipe.batch)
        for number in random.permutation(len(batches)):
            user_B = user_N[batches[number]]
            item_BL, count_B = last_items(self.found, user_B, self.recipe.length + 1)
            there_BL = np.arange(1, item_BL.shape[1]) < count_B[:, None]
            candidate_C = shared_candidates(self.pool, self.recipe.negatives, random)
            yield Batch(item_BL[:, :-1], np.where(there_BL, item_BL[:, 1:], -1), candidate_C)

    def loss(self, batch: Batch) -> Tensor:
        """Return the cross-entropy of the next items among the candidates."""
        place_T = np.flatnonzero(batch.next_BL >= 0)
        next_T = batch.next_BL.ravel()[place_T]
        place, chosen, candidates = (to_device(a, self.device) for a in (place_T, next_T, batch.candidate_C))
        hidden_BLD = self.network(to_device(batch.item_BL, self.device))
        hidden_TD = functional.embedding(place, hidden_BLD.flatten(0, 1))
        positive_T = (hidden_TD * functional.embedding(chosen, self.network.item_ID)).sum(1)
        score_TC = hidden_TD @ functional.embedding(candidates, self.network.item_ID).T
        excluded_TC = chosen[:, None] == candidates
        return losses.sampled_softmax(positive_T, score_TC, excluded_TC, len(self.pool))

    def look(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' scores by the items of the seen events."""
        user_BD = encode(self.network, self.seen, user_B.cpu().numpy(), self.device)
        return fill_unknown(user_BD) @ fill_unknown(self.network.item_ID).T, {}

    def fitted(self, epochs: int, history: list[EpochLog]) -> VectorModel:
        """Return the model over the whole dataset."""
        return _model(self.network, self.dataset, epochs, history, self.device)


@torch.no_grad()
def encode(network: SASRec, found: Sequences, user_B: Ints, device: torch.device) -> Tensor:
    """Return the vectors of users by their last items [B, D], zeros for those who have none."""
    network.eval()
    vector_BD = network.item_ID.new_zeros(len(user_B), network.recipe.width)
    length_B = np.minimum(found.length_U[user_B], network.recipe.length)
    there = np.flatnonzero(length_B)
    for batch in alike_batches(length_B[there], _PLACES) if len(there) else []:
        item_BL, count_B = last_items(found, user_B[there[batch]], network.recipe.length)
        hidden_BLD = network(to_device(item_BL, device))
        rows = to_device(there[batch], device)
        vector_BD[rows] = hidden_BLD[torch.arange(len(count_B), device=device), to_device(count_B - 1, device)]
    return vector_BD


def _model(
    network: SASRec, dataset: Dataset, epochs: int, history: list[EpochLog], device: torch.device
) -> VectorModel:
    item_ID = network.item_ID.detach()
    everything = sequences(dataset, np.ones_like(dataset.in_core_E), item_ID.any(1).cpu().numpy())
    user_UD = encode(network, everything, np.arange(len(dataset.users)), device)
    state = packed(network)
    state["items.names"] = names.pack(dataset.items)
    return VectorModel(fill_unknown(user_UD), fill_unknown(item_ID), state, epochs, history)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: SASRecRecipe) -> VectorModel:
    """Return the model of `weights` over a dataset: its own, or a later one with more users and items.

    Raises JobError where the weights are of another recipe.
    """
    state = unpacked(weights)
    item_ID = names.rows_for(state["item_ID"], names.unpack(weights["items.names"]), dataset.items)
    everything_I = np.ones(len(dataset.items), np.bool_)
    network = restored(lambda: SASRec(recipe, everything_I), state | {"item_ID": item_ID}, recipe.name)
    return _model(network, dataset, int(weights["epochs"]), [], torch.device("cpu"))


fit = partial(training.fit, SASRecLearner)
