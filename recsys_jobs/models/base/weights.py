"""A trained network out of its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from recsys_jobs.contracts.errors import JobError

Network = TypeVar("Network", bound=nn.Module)
PREFIX = "model."  # of a network's tensors among a model's weights


def packed(network: nn.Module) -> dict[str, Tensor]:
    """Return a network's tensors as a model's weights have them."""
    return {f"{PREFIX}{name}": value.detach().cpu().clone() for name, value in network.state_dict().items()}


def unpacked(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the network's tensors that `packed` put among a model's weights."""
    return {name.removeprefix(PREFIX): value for name, value in weights.items() if name.startswith(PREFIX)}


def restored(build: Callable[[], Network], state: dict[str, Tensor], recipe: str) -> Network:
    """Return the network that `build` makes, with this state; JobError where the two are not of one shape."""
    with torch.random.fork_rng(devices=[]):  # the network's random start is thrown away: leave no trace of it
        network = build()
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise JobError(f"the weights do not fit recipe {recipe} and this dataset's widths: {reason}") from None
    return network
