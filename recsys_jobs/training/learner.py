"""What a neural family gives to the training loop, and which events it may look at meanwhile.

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


class Parts(NamedTuple):
    """What a fit may look at: the events that users and items are known by, and those to learn from."""

    seen_E: Bools
    target_E: Bools


class Learner(Protocol):
    """A family in training: its network, what each step sees, what is asked of it after each epoch."""

    @property
    def network(self) -> nn.Module:
        """Return what is trained; its state is what is kept of it."""
        ...

    def batches(self, random: np.random.Generator) -> Iterator[Any]:
        """Yield one epoch's batches; all that is random about a step, dropout apart, is drawn here."""
        ...

    def loss(self, batch: Any, /) -> Tensor:
        """Return the loss of one batch, a scalar."""
        ...

    def look(self, user_B: Tensor, /) -> tuple[Tensor, EpochLog]:
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


def parts_of(dataset: Dataset, epochs: int | None) -> Parts:
    """Return the parts of an exam fit (`epochs` None) or of a serving fit; JobError without validation events."""
    if epochs is not None:
        return Parts(np.ones_like(dataset.validation_E), dataset.in_core_E)
    if not dataset.validation_E.any():
        raise JobError("no validation events to stop by: give the number of epochs, or raise validation_share")
    return Parts(~dataset.validation_E, dataset.train_events())


Start = Callable[[Dataset, Any, Parts, torch.device], Learner]  # the dataset, its recipe, what may be looked at
