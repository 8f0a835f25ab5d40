"""How `attention_contrastive` and its towers learn, score and are loaded.

U users, I items, E events, B pairs of a batch (in a validation: users), C candidates, N rows of items, M tokens of an
item, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recsys_jobs.data.dataset import Bools, Dataset, Ints
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.models.attention import pair_scores
from recsys_jobs.models.attention.network import AttentionNetwork, Contents, Tokens
from recsys_jobs.models.attention.recipe import AttentionRecipe
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.base.vector_model import VectorModel, fill_unknown
from recsys_jobs.models.base.weights import packed, restored, unpacked
from recsys_jobs.ranking.model import Trained
from recsys_jobs.torch_common import losses
from recsys_jobs.torch_common.devices import to_device
from recsys_jobs.training import loop
from recsys_jobs.training.learner import EpochLog, EventSplit
from recsys_jobs.training.pairwise import pair_batches, positives, shared_softmax, uniform_negatives
from recsys_jobs.training.sampling import shared_candidates

_ITEMS_OF_PAIRS, _USERS_OF_PAIRS = 256, 64  # scored at once: what a cache holds
_ITEMS = 4_096  # fused at once


class Batch(NamedTuple):
    """One step: its pairs, what they are compared with, and which tokens of these items are hidden."""

    user_B: Ints
    item_B: Ints
    negatives: Ints  # each pair's own negative [B] with the user among the tokens, else what all share [C]
    shown_NM: Bools  # of item_B and other, one after another: the tokens that are not hidden


class AttentionLearner:
    """The network and its training pairs (the protocol of learner.py)."""

    def __init__(self, dataset: Dataset, recipe: AttentionRecipe, parts: EventSplit, device: torch.device) -> None:
        self.dataset, self.recipe, self.device = dataset, recipe, device
        self.pairs = positives(dataset, parts.target_E, parts.seen_E, recipe.whole_catalogue)
        self.owned_UI = events_matrix(dataset)  # validation included
        trained_U = np.isin(np.arange(len(dataset.users)), self.pairs.user_P)
        trained_I = np.isin(np.arange(len(dataset.items)), dataset.event_item_E[dataset.in_core_E])
        self.contents = Contents(dataset).to(device)
        self.network = AttentionNetwork(recipe, trained_U, trained_I, self.contents.widths).to(device)
        self.network.start(dataset, self.contents, trained_I)

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Yield one pass over the training pairs."""
        recipe, pairs = self.recipe, self.pairs
        for user_B, item_B in pair_batches(pairs, recipe.steps_per_epoch, recipe.min_batch, random):
            if recipe.user_token:
                negatives = uniform_negatives(pairs, user_B, random)
            else:
                negatives = shared_candidates(pairs.pool_N, recipe.negatives, random)
            shown_NM = self._shown(len(item_B) + len(negatives), random)
            yield Batch(user_B, item_B, negatives, shown_NM)

    def _shown(self, items: int, random: np.random.Generator) -> Bools:
        """Return which tokens stay: IDs and contents are hidden at random, so that the model does not lean on any."""
        contents = len(self.network.projections)
        dropout_M = np.array([self.recipe.id_dropout] + [self.recipe.content_dropout] * contents)
        return random.random((items, 1 + contents)) >= dropout_M

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of the pairs, and the contrast of their items' words and looks."""
        item_N = to_device(np.concatenate([batch.item_B, batch.negatives]), self.device)
        shown_NM = torch.from_numpy(batch.shown_NM).to(self.device)
        items = self.network.items(self.contents, item_N, shown_NM)
        user_B = to_device(batch.user_B, self.device)
        user_BD = functional.embedding(user_B, self.network.user_UD)
        if self.recipe.user_token:
            ranking = self._pairs_loss(user_BD, items)
        else:
            ranking = self._towers_loss(batch, user_BD, items)
        return ranking + self.recipe.contrast * self._contrast(item_N)

    def _pairs_loss(self, user_BD: Tensor, items: Tokens) -> Tensor:
        users = self.network.users(user_BD)
        repeated = Tokens(*(torch.cat([part, part]) for part in users))
        positive_B, negative_B = self.network.pair_scores(repeated, items).chunk(2)
        return losses.bpr(positive_B - negative_B)

    def _towers_loss(self, batch: Batch, user_BD: Tensor, items: Tokens) -> Tensor:
        sizes = [len(batch.item_B), len(batch.negatives)]
        item_BD, negative_CD = self.network.item_vectors(items).split(sizes)
        positive_B = (user_BD * item_BD).sum(1)
        score_BC = user_BD @ negative_CD.T
        pool = len(self.pairs.pool_N)
        return shared_softmax(positive_B, score_BC, self.owned_UI, batch.user_B, batch.negatives, pool)

    def _contrast(self, item_N: Tensor) -> Tensor:
        """Return CLIP's loss over the batch's items that have both words and looks, each once."""
        if not self.recipe.contrast or not {"text", "image"} <= set(self.network.projections):
            return self.network.unknown_D.new_zeros(())
        item_N = item_N.unique()
        item_N = item_N[self.contents.text_present[item_N] & self.contents.image_present[item_N]]
        text_ND, image_ND = (self.network.content(self.contents, name, item_N)[0] for name in ("text", "image"))
        return losses.clip(text_ND, image_ND, self.recipe.contrast_temperature)

    def validate(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' scores."""
        return score_all(self.network, self.contents, user_B), {}

    def fitted(self, epochs: int, history: list[EpochLog]) -> Trained:
        """Return the model over the whole dataset."""
        return _model(self.network, self.dataset, epochs, history)


@torch.no_grad()
def score_all(network: AttentionNetwork, contents: Contents, user_B: Tensor) -> Tensor:
    """Return users' scores of every item [B, I], a bounded number of pairs at a time."""
    network.eval()
    user_BD = fill_unknown(network.user_UD)[user_B]
    if not network.recipe.user_token:
        return user_BD @ all_item_vectors(network, contents).T
    item_I = torch.arange(len(network.item_ID), device=user_B.device)
    users = pair_scores.user_side(network, network.users(user_BD))
    blocks = zip(*(part.split(_USERS_OF_PAIRS) for part in users), strict=True)
    user_blocks = [pair_scores.UserSide(*block) for block in blocks]
    columns = []
    for item_N in item_I.split(_ITEMS_OF_PAIRS):
        items = pair_scores.item_side(network, network.items(contents, item_N))
        columns.append(torch.cat([pair_scores.scores(network, block, items) for block in user_blocks]))
    return torch.cat(columns, dim=1).float()


@torch.no_grad()
def all_item_vectors(network: AttentionNetwork, contents: Contents) -> Tensor:
    """Return every item's vector [I, D], in blocks of bounded memory."""
    network.eval()
    item_I = torch.arange(len(network.item_ID), device=network.item_ID.device)
    return torch.cat([network.item_vectors(network.items(contents, block)) for block in item_I.split(_ITEMS)])


class FittedPairs:
    """A trained network with the user among the tokens (the contract of ranking/model.py)."""

    def __init__(
        self,
        network: AttentionNetwork,
        dataset: Dataset,
        epochs: int,
        history: list[EpochLog],
        state: dict[str, Tensor],
    ) -> None:
        self.network, self.epochs, self.history = network.eval(), epochs, history
        self._contents = Contents(dataset).to(network.item_ID.device)
        self._state = state

    def score_block(self, user_B: Tensor) -> Tensor:
        """Return the scores [B, I]: each pair goes through attention, which is what this model costs."""
        return score_all(self.network, self._contents, user_B.to(self.network.item_ID.device)).cpu()

    def factors(self) -> None:
        """None: attention stands between user and item."""
        return

    def item_vectors(self) -> Tensor:
        """Return what attention makes of the items alone [I, D]."""
        return all_item_vectors(self.network, self._contents).cpu()

    def weights(self) -> dict[str, Tensor]:
        """Return the network, and whose its rows are."""
        return self._state | {"epochs": torch.tensor(self.epochs)}


def _model(network: AttentionNetwork, dataset: Dataset, epochs: int, history: list[EpochLog]) -> Trained:
    state = packed(network) | {"users.names": id_rows.pack(dataset.users), "items.names": id_rows.pack(dataset.items)}
    if network.recipe.user_token:
        return FittedPairs(network, dataset, epochs, history, state)
    contents = Contents(dataset).to(network.item_ID.device)
    user_UD = fill_unknown(network.user_UD.detach())
    return VectorModel(user_UD, all_item_vectors(network, contents), state, epochs, history)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: AttentionRecipe) -> Trained:
    """Return the model of `weights` over a dataset: its own, or a later one with more users and items.

    Raises JobError where the weights are of another recipe, or of contents of other widths.
    """
    state = unpacked(weights)
    users, items = id_rows.unpack(weights["users.names"]), id_rows.unpack(weights["items.names"])
    trained_I = id_rows.rows_for(state["met_I"][:, None], items, dataset.items)[:, 0]
    rows = {
        "user_UD": id_rows.rows_for(state["user_UD"], users, dataset.users),
        "item_ID": id_rows.rows_for(state["item_ID"], items, dataset.items),
        "met_I": trained_I,
    }
    untrained_U, untrained_I = (np.zeros(len(ids), np.bool_) for ids in (dataset.users, dataset.items))
    widths = Contents(dataset).widths
    network = restored(lambda: AttentionNetwork(recipe, untrained_U, untrained_I, widths), state | rows, recipe.name)
    return _model(network, dataset, int(weights["epochs"]), [])


fit = partial(loop.fit, AttentionLearner)
