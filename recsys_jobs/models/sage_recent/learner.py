"""How `sage_fm_recent` learns: each step stands on a past day, and asks what was bought next (see network.py).

The last events are cut into chunks of time. A step asks the users of one chunk for what they have in it, by what
they, and everybody, had before it: as old as it then was, with the graph and the popularity of that day. So what a
half-life is worth (m, c) is learned as the vectors are, from the past alone, and the step sees what a night sees.
A share of each history is hidden, since few people and many free rows overfit within a few passes.

U users, I items, E events, N events of a chunk, B users of a batch, T targets, D width, G terms, H half-lives of
histories, P of popularity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data import histories_as_of
from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.histories_as_of import TimedEvents, timed_events
from recsys_jobs.models.layers.sparse import pair
from recsys_jobs.models.sage_recent.fitted import SageRecentModel, fitted_model, load
from recsys_jobs.models.sage_recent.network import SageRecent, serve
from recsys_jobs.models.sage_recent.recipe import SageRecentRecipe
from recsys_jobs.models.sage_softmax.item_inputs import item_inputs
from recsys_jobs.models.sage_softmax.network import core_items, freeze_untrained_rows, scaled, unit
from recsys_jobs.ranking.model import Trained
from recsys_jobs.torch_common import losses
from recsys_jobs.torch_common.devices import to_device
from recsys_jobs.training import checkpoints, loop
from recsys_jobs.training.learner import EpochLog, EventSplit
from recsys_jobs.training.windows import with_last_windows_as_validation

__all__ = ["fit", "load"]


class Step(NamedTuple):
    """One step: what is known at its moment, its users, what is shown of their histories, what they are to find."""

    known: TimedEvents
    user_B: Ints
    histories: list[sparse.csr_matrix]  # [H] of [B, I]
    row_T: Ints  # of the batch
    item_T: Ints


class SageRecentLearner:
    """The network and the chunks of time that it learns from (the protocol of learner.py)."""

    def __init__(self, dataset: Dataset, recipe: SageRecentRecipe, parts: EventSplit, device: torch.device) -> None:
        self.dataset, self.recipe, self.device = dataset, recipe, device
        self.events = timed_events(dataset, parts.seen_E)
        self.is_target_E = np.isin(self.events.keys(), timed_events(dataset, parts.target_E).keys())
        events = len(self.events.user_E)
        self.first_U = np.full(len(dataset.users), events)
        np.minimum.at(self.first_U, self.events.user_E, np.arange(events))
        share = target_share(recipe, events)
        spans = histories_as_of.time_chunks(self.events, share, recipe.steps_per_epoch)
        self.spans = [span for span in spans if len(self._targets(*span))]
        if not self.spans:
            raise JobError(
                f"nothing to train on: nobody with a history had a new item among the last {share:.0%} "
                "of the training events; lower user_core and item_core, or take a later date"
            )
        self.term_G = np.unique(dataset.term_P)
        self.inputs = item_inputs(dataset, self.term_G, recipe, device)
        trained_I = core_items(dataset)
        self.network = SageRecent(recipe, trained_I, len(self.term_G), self.inputs.content_IC.shape[1]).to(device)
        freeze_untrained_rows(self.network, trained_I)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the weights of half-lives, which have a rate of their own, and the rest."""
        network = self.network
        time_weights = [network.history_H, network.popularity_P, network.sharpness]
        time_ids = {id(weight) for weight in time_weights}
        others = [weight for weight in network.parameters() if id(weight) not in time_ids]
        return [
            {"params": others, "lr": self.recipe.learning_rate},
            {"params": time_weights, "lr": self.recipe.time_learning_rate},
        ]

    def batches(self, random: np.random.Generator) -> Iterator[Step]:
        """Yield one pass over the chunks, in random order."""
        for number in random.permutation(len(self.spans)):
            begin, end = self.spans[number]
            target_T, known = self._targets(begin, end), self.events.before(begin)
            user_T, item_T = self.events.user_E[target_T], self.events.item_E[target_T]
            user_B = np.unique(user_T)
            users = min(len(user_B), self.recipe.most_users)
            user_B = np.sort(random.choice(user_B, users, replace=False))
            sampled_T = np.isin(user_T, user_B)
            visible = known.subset(random.random(begin) >= self.recipe.history_dropout)
            histories = histories_as_of.histories(visible, user_B, self.recipe.history_half_lives)
            row_T = np.searchsorted(user_B, user_T[sampled_T])
            yield Step(known, user_B, histories, row_T, item_T[sampled_T])

    def _targets(self, begin: int, end: int) -> Ints:
        """Return the positions of the chunk's targets, of users who had something before it."""
        old_N = self.first_U[self.events.user_E[begin:end]] < begin
        return begin + np.flatnonzero(old_N & self.is_target_E[begin:end])

    def loss(self, step: Step) -> Tensor:
        """Return the softmax loss over all items that the users did not have."""
        history_UI = histories_as_of.matrix(step.known)
        graph = pair(scaled(history_UI), self.device)
        item_ID = unit(self.network(self.inputs, graph))
        user_BD, _ = self.network.mixed(item_ID, step.histories)
        score_BI = user_BD @ item_ID.T * self.network.sharpness.exp() + self.network.prior(step.known)
        row_T = to_device(step.row_T, self.device)
        item_T = to_device(step.item_T, self.device)
        owned_BI = torch.from_numpy(history_UI[step.user_B].toarray() > 0)
        return losses.held_out_softmax(score_BI, row_T, item_T, owned_BI.to(self.device))

    def validate(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' scores at the end of the seen events, and what the half-lives are worth."""
        served = serve(self.network, self.inputs, self.events, user_B.cpu().numpy())
        share_H = self.network.history_H.softmax(0).tolist()
        shares = zip(self.recipe.history_half_lives, share_H, strict=True)
        logged = {f"history_{half_life:g}_days": share for half_life, share in shares}
        return served.user_BD @ served.item_ID.T + served.prior_I, logged

    def fitted(self, epochs: int, history: list[EpochLog]) -> SageRecentModel:
        """Return the model at the end of the whole dataset."""
        return fitted_model(self.network, self.inputs, self.dataset, self.term_G, epochs, history)


def target_share(recipe: SageRecentRecipe, events: int) -> float:
    """Return which share of so many events are targets: of a small shop's more, for it has few to learn from."""
    least_share = recipe.least_recent / max(events, 1)
    return max(recipe.recent_share, min(recipe.most_recent_share, least_share))


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
