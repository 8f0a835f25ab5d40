"""`sage_fm_softmax` that knows which day it is: each step stands on a past day, and asks what was bought next.

x = h + A'A h + ...                       h, A of models/sage_softmax/learner.py, A of the events before that day
u = unit(sum_k m_k unit(H_k x))           H_k histories that fade by half-life k, m = softmax of learned weights
y_ui = b_i + sum_p c_p log(pop_p,i) + cos(u, x_i) / temperature      pop_p popularity that fades by half-life p

The last events are cut into chunks of time. A step asks the users of one chunk for what they have in it, by what
they, and everybody, had before it: as old as it then was, with the graph and the popularity of that day. So what a
half-life is worth (m, c) is learned as the vectors are, from the past alone, and the step sees what a night sees.
A share of each history is hidden, since few people and many free rows overfit within a few passes.

U users, I items, B users of a batch, T targets, D width, H half-lives of histories, P of popularity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data import histories_as_of
from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.histories_as_of import TimedEvents, timed_events
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.base.vector_model import VectorModel
from recsys_jobs.models.base.weights import packed, restored, unpacked
from recsys_jobs.models.layers.sparse import multiply, pair
from recsys_jobs.models.sage_recent.recipe import SageRecentRecipe
from recsys_jobs.models.sage_softmax.item_inputs import ItemInputs, item_inputs
from recsys_jobs.models.sage_softmax.learner import SageSoftmax, for_items, keep_unmet_empty, met, scaled, unit
from recsys_jobs.ranking.model import Trained
from recsys_jobs.torch_common import losses
from recsys_jobs.torch_common.devices import to_device
from recsys_jobs.training import checkpoints, loop
from recsys_jobs.training.learner import EpochLog, EventSplit
from recsys_jobs.training.windows import with_last_windows_as_validation


class Step(NamedTuple):
    """One step: what is known at its moment, its users, what is shown of their histories, what they are to find."""

    known: TimedEvents
    user_B: Ints
    histories: list[sparse.csr_matrix]  # [H] of [B, I]
    row_T: Ints  # of the batch
    item_T: Ints


class SageRecent(SageSoftmax):
    """What is learned: that of the softmax model, and what each half-life is worth."""

    recipe: SageRecentRecipe

    def __init__(self, recipe: SageRecentRecipe, met_I: Tensor, terms: int, content_width: int) -> None:
        super().__init__(recipe, met_I, terms, content_width)
        self.history_H = nn.Parameter(torch.zeros(len(recipe.history_half_lives)))
        self.popularity_P = nn.Parameter(torch.full((len(recipe.popularity_half_lives),), 0.05))
        self.sharpness = nn.Parameter(torch.tensor(1 / recipe.temperature).log())

    def mixed(self, item_ID: Tensor, histories: list[sparse.csr_matrix]) -> tuple[Tensor, list[Tensor]]:
        """Return users' vectors [B, D] of length one, and by how much each half-life's history entered [H] of [B]."""
        weight_H = self.history_H.softmax(0)
        sums = [multiply(pair(history_BI, item_ID.device), item_ID) for history_BI in histories]
        share = [weight / _length(sum_BD) for weight, sum_BD in zip(weight_H, sums, strict=True)]
        user_BD = torch.stack([s_B[:, None] * sum_BD for s_B, sum_BD in zip(share, sums, strict=True)]).sum(0)
        length_B = _length(user_BD)
        return user_BD / length_B[:, None], [s_B / length_B for s_B in share]

    def prior(self, events: TimedEvents) -> Tensor:
        """Return what everyone is shown an item for [I]: its bias, and how popular it is of late."""
        log_IP = histories_as_of.log_popularity(events, self.recipe.popularity_half_lives)
        return self.bias_I + log_IP.to(self.bias_I.device) @ self.popularity_P


class SageRecentLearner:
    """The network and the chunks of time that it learns from (the protocol of learner.py)."""

    def __init__(self, dataset: Dataset, recipe: SageRecentRecipe, parts: EventSplit, device: torch.device) -> None:
        self.dataset, self.recipe, self.device = dataset, recipe, device
        self.events = timed_events(dataset, parts.seen_E)
        self.asked_E = np.isin(self.events.keys(), timed_events(dataset, parts.target_E).keys())
        self.first_U = np.full(len(dataset.users), len(self.events.user_E))
        np.minimum.at(self.first_U, self.events.user_E, np.arange(len(self.events.user_E)))
        share = asked_share(recipe, len(self.events.user_E))
        spans = histories_as_of.time_chunks(self.events, share, recipe.steps_per_epoch)
        self.spans = [span for span in spans if len(self._targets(*span))]
        if not self.spans:
            raise JobError(
                f"nothing to train on: nobody with a history had a new item among the last {share:.0%} "
                "of the training events; lower user_core and item_core, or take a later date"
            )
        self.term_G = np.unique(dataset.term_P)
        self.inputs = item_inputs(dataset, self.term_G, recipe, device)
        met_I = met(dataset)
        self.network = SageRecent(recipe, met_I, len(self.term_G), self.inputs.content_IC.shape[1]).to(device)
        keep_unmet_empty(self.network, met_I)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the weights of half-lives, which have a rate of their own, and the rest."""
        network = self.network
        of_time = [network.history_H, network.popularity_P, network.sharpness]
        others = [weight for weight in network.parameters() if not any(weight is one for one in of_time)]
        return [
            {"params": others, "lr": self.recipe.learning_rate},
            {"params": of_time, "lr": self.recipe.time_learning_rate},
        ]

    def batches(self, random: np.random.Generator) -> Iterator[Step]:
        """Yield one pass over the chunks, in random order."""
        for number in random.permutation(len(self.spans)):
            begin, end = self.spans[number]
            target_T, known = self._targets(begin, end), self.events.before(begin)
            user_T, item_T = self.events.user_E[target_T], self.events.item_E[target_T]
            user_B = np.unique(user_T)
            user_B = np.sort(random.choice(user_B, min(len(user_B), self.recipe.most_users), replace=False))
            asked_T = np.isin(user_T, user_B)
            shown = known.subset(random.random(begin) >= self.recipe.history_dropout)
            histories = histories_as_of.histories(shown, user_B, self.recipe.history_half_lives)
            yield Step(known, user_B, histories, np.searchsorted(user_B, user_T[asked_T]), item_T[asked_T])

    def _targets(self, begin: int, end: int) -> Ints:
        """The places of the chunk's targets, of users who had something before it."""
        old_N = self.first_U[self.events.user_E[begin:end]] < begin
        return begin + np.flatnonzero(old_N & self.asked_E[begin:end])

    def loss(self, step: Step) -> Tensor:
        """Return the softmax loss over all items that the users did not have."""
        had_UI = histories_as_of.matrix(step.known)
        item_ID = unit(self.network(self.inputs, pair(scaled(had_UI), self.device)))
        user_BD, _ = self.network.mixed(item_ID, step.histories)
        score_BI = user_BD @ item_ID.T * self.network.sharpness.exp() + self.network.prior(step.known)
        row_T, item_T = (to_device(a, self.device) for a in (step.row_T, step.item_T))
        owned_BI = torch.from_numpy(had_UI[step.user_B].toarray() > 0)
        return losses.held_out_softmax(score_BI, row_T, item_T, owned_BI.to(self.device))

    def validate(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' scores at the end of the seen events, and what the half-lives are worth."""
        served = serve(self.network, self.inputs, self.events, user_B.cpu().numpy())
        share_H = self.network.history_H.softmax(0).tolist()
        worth = zip(self.recipe.history_half_lives, share_H, strict=True)
        shown = {f"history_{half_life:g}_days": share for half_life, share in worth}
        return served.user_BD @ served.item_ID.T + served.prior_I, shown

    def fitted(self, epochs: int, history: list[EpochLog]) -> SageRecentModel:
        """Return the model at the end of the whole dataset."""
        return _model(self.network, self.inputs, self.dataset, self.term_G, epochs, history)


def asked_share(recipe: SageRecentRecipe, events: int) -> float:
    """Return which share of so many events is asked for: of a small shop's more, for it has few to learn from."""
    return max(recipe.recent_share, min(recipe.most_recent_share, recipe.least_recent / max(events, 1)))


class Served(NamedTuple):
    """A network at a moment: vectors, what everyone is shown an item for, and what a user's vector is a sum of."""

    user_BD: Tensor  # times the sharpness
    item_ID: Tensor
    prior_I: Tensor
    history_BI: sparse.csr_matrix  # user_BD = history_BI @ item_ID


@torch.no_grad()
def serve(network: SageRecent, inputs: ItemInputs, events: TimedEvents, user_B: Ints) -> Served:
    """Return the network at the end of these events, of some users."""
    item_ID = unit(network(inputs, pair(scaled(histories_as_of.matrix(events)), inputs.content_IC.device)))
    histories = histories_as_of.histories(events, user_B, network.recipe.history_half_lives)
    _, share_HB = network.mixed(item_ID, histories)
    sharpness = float(network.sharpness.exp())
    each = [sparse.diags_array(s_B.cpu().numpy() * sharpness) @ h for s_B, h in zip(share_HB, histories, strict=True)]
    history_BI = sparse.csr_matrix(sum(each[1:], each[0])).astype(np.float32)
    user_BD = multiply(pair(history_BI, item_ID.device), item_ID)
    return Served(user_BD, item_ID, network.prior(events), history_BI)


class SageRecentModel(VectorModel):
    """Vectors at the end of a dataset; its score is a sum over the items of a history, and what is popular of late."""

    def __init__(self, served: Served, state: dict[str, Tensor], epochs: int, history: list[EpochLog]) -> None:
        super().__init__(served.user_BD, served.item_ID, state, epochs, history, bias_I=served.prior_I)
        self._served = served

    def history_terms(self, user: int, item: int) -> dict[int, float]:
        """Return what each item that a user had adds to its score of `item`."""
        row_1I, item_ID = self._served.history_BI[[user]], self._served.item_ID.cpu()
        had_N, left_N = row_1I.indices, row_1I.data
        value_N = left_N * (item_ID[torch.from_numpy(had_N.astype(np.int64))] @ item_ID[item]).numpy()
        return {int(had): float(value) for had, value in zip(had_N, value_N, strict=True)}

    def prior_term(self, item: int) -> float:
        """Return what an item's bias and its recent popularity add to its score, whoever is asked."""
        return float(self._served.prior_I[item])


def _length(vector_BD: Tensor) -> Tensor:
    return vector_BD.norm(dim=1).clamp(min=1e-6)


def _model(
    network: SageRecent, inputs: ItemInputs, dataset: Dataset, term_G: Ints, epochs: int, history: list[EpochLog]
) -> SageRecentModel:
    state = packed(network) | {"items.names": id_rows.pack(dataset.items), "terms": torch.from_numpy(term_G)}
    events = timed_events(dataset, np.ones(len(dataset.event_user_E), np.bool_))
    served = serve(network, inputs, events, np.arange(len(dataset.users)))
    return SageRecentModel(served, state, epochs, history)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: SageRecentRecipe) -> SageRecentModel:
    """Return the model of `weights` over a dataset: its own, or a later one, at whose end histories are older.

    An item that training did not meet is what its contents and the people who had it say.
    """
    state, known, term_G = unpacked(weights), id_rows.unpack(weights["items.names"]), weights["terms"].numpy()
    state = for_items(state, known, dataset.items)
    inputs = item_inputs(dataset, term_G, recipe, torch.device("cpu"))
    sizes = torch.zeros(len(dataset.items)), len(term_G), inputs.content_IC.shape[1]
    network = restored(lambda: SageRecent(recipe, *sizes), state, recipe.name)
    return _model(network, inputs, dataset, term_G, int(weights["epochs"]), [])


def fit(
    dataset: Dataset,
    recipe: SageRecentRecipe,
    *,
    seed: int,
    epochs: int | None = None,
    checkpoint: Path | None = None,
    device: torch.device | None = None,
    on_epoch: Callable[[EpochLog], None] | None = None,
) -> Trained:
    """Return the model fitted on a dataset (see loop.py), in an exam fit twice: validation is its last windows.

    The first, which does not see these, says how many epochs are best and has the curves; the second takes as many
    on everything, for what lives by the last days is nothing without them.
    """
    stages = [checkpoints.part_path(checkpoint, number) if checkpoint else None for number in range(2)]
    train = partial(loop.fit, SageRecentLearner, recipe=recipe, seed=seed, device=device)
    if epochs is not None:
        return train(dataset, epochs=epochs, checkpoint=checkpoint, on_epoch=on_epoch)
    validated = with_last_windows_as_validation(dataset, recipe.windows, recipe.window_users, recipe.window_share)
    first = train(validated, checkpoint=stages[0], on_epoch=on_epoch)
    model = train(dataset, epochs=first.epochs, checkpoint=stages[1])
    model.history = first.history
    return model
