"""What a neural family gives to the training loop, and which events a fit may use.

B batch of users, E events, I items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.ranking.model import Trained
from recsys_jobs.training.recipe import TrainedRecipe

EpochLog = dict[str, float]


class EventSplit(NamedTuple):
    """The events that a fit may use: those that users and items are known by, and those to learn from."""

    seen_E: Bools
    target_E: Bools


class Learner(Protocol):
    """A family in training: its network, the batches and loss of a step, the scores to validate an epoch by."""

    @property
    def network(self) -> nn.Module:
        """Return the network that is trained; checkpoints keep its state."""
        ...

    def batches(self, random: np.random.Generator) -> Iterator[Any]:
        """Yield one epoch's batches; all that is random about a step, dropout apart, is drawn here."""
        ...

    def loss(self, batch: Any, /) -> Tensor:
        """Return the loss of one batch, a scalar."""
        ...

    def validate(self, user_B: Tensor, /) -> tuple[Tensor, EpochLog]:
        """Return users' scores [B, I] by the seen events, and further numbers to log."""
        ...

    def fitted(self, epochs: int, history: list[EpochLog]) -> Trained:
        """Return the model that ranks the dataset, all its events included, with the network as it is now."""
        ...


@runtime_checkable
class HasRates(Protocol):
    """A learner whose parameters do not all learn at the recipe's rate."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the optimizer's groups, each with `params` and its `lr`."""
        ...


def parameter_groups(learner: Learner, recipe: TrainedRecipe) -> list[dict[str, Any]]:
    """Return the learner's own groups, or all that it trains at the recipe's rate."""
    if isinstance(learner, HasRates):
        return learner.parameter_groups()
    return [{"params": list(learner.network.parameters()), "lr": recipe.learning_rate}]


def event_split(dataset: Dataset, epochs: int | None) -> EventSplit:
    """Return the parts of an exam fit (`epochs` None) or of a serving fit; JobError without validation events."""
    if epochs is not None:
        return EventSplit(np.ones_like(dataset.validation_E), dataset.in_core_E)
    if not dataset.validation_E.any():
        raise JobError("no validation events to stop by: give the number of epochs, or raise validation_share")
    return EventSplit(~dataset.validation_E, dataset.train_events())


MakeLearner = Callable[[Dataset, Any, EventSplit, torch.device], Learner]  # the dataset, its recipe, the events to use
