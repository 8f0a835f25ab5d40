"""`sage_fm_softmax` that knows which day it is.

x = h + A'A h + ...                       h, A of models/sage_softmax/network.py, A of the events before that day
u = unit(sum_k m_k unit(H_k x))           H_k histories that fade by half-life k, m = softmax of learned weights
y_ui = b_i + sum_p c_p log(pop_p,i) + cos(u, x_i) / temperature      pop_p popularity that fades by half-life p

U users, I items, B users of a batch, D width, G terms, C content width, H half-lives of histories, P of popularity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from recsys_jobs.data import histories_as_of
from recsys_jobs.data.dataset import Ints
from recsys_jobs.data.histories_as_of import TimedEvents
from recsys_jobs.models.layers.sparse import multiply, pair
from recsys_jobs.models.sage_recent.recipe import SageRecentRecipe
from recsys_jobs.models.sage_softmax.item_inputs import ItemInputs
from recsys_jobs.models.sage_softmax.network import SageSoftmax, scaled, unit


class SageRecent(SageSoftmax):
    """What is learned: that of the softmax model, and what each half-life is worth."""

    recipe: SageRecentRecipe

    def __init__(self, recipe: SageRecentRecipe, trained_I: Tensor, terms: int, content_width: int) -> None:
        super().__init__(recipe, trained_I, terms, content_width)
        self.history_H = nn.Parameter(torch.zeros(len(recipe.history_half_lives)))
        self.popularity_P = nn.Parameter(torch.full((len(recipe.popularity_half_lives),), 0.05))
        self.sharpness = nn.Parameter(torch.tensor(1 / recipe.temperature).log())

    def mixed(self, item_ID: Tensor, histories: list[sparse.csr_matrix]) -> tuple[Tensor, list[Tensor]]:
        """Return users' vectors [B, D] of length one, and by how much each half-life's history entered [H] of [B]."""
        weight_H = self.history_H.softmax(0)
        sums = [multiply(pair(history_BI, item_ID.device), item_ID) for history_BI in histories]
        shares = [weight / _length(sum_BD) for weight, sum_BD in zip(weight_H, sums, strict=True)]
        parts = [share_B[:, None] * sum_BD for share_B, sum_BD in zip(shares, sums, strict=True)]
        user_BD = torch.stack(parts).sum(0)
        length_B = _length(user_BD)
        return user_BD / length_B[:, None], [share_B / length_B for share_B in shares]

    def prior(self, events: TimedEvents) -> Tensor:
        """Return what everyone is shown an item for [I]: its bias, and how popular it is of late."""
        log_IP = histories_as_of.log_popularity(events, self.recipe.popularity_half_lives)
        return self.bias_I + log_IP.to(self.bias_I.device) @ self.popularity_P


class Served(NamedTuple):
    """A network at a moment: vectors, what everyone is shown an item for, and what a user's vector is a sum of."""

    user_BD: Tensor  # times the sharpness
    item_ID: Tensor
    prior_I: Tensor
    history_BI: sparse.csr_matrix  # user_BD = history_BI @ item_ID


@torch.no_grad()
def serve(network: SageRecent, inputs: ItemInputs, events: TimedEvents, user_B: Ints) -> Served:
    """Return the network at the end of these events, of some users."""
    scaled_UI = scaled(histories_as_of.matrix(events))
    item_ID = unit(network(inputs, pair(scaled_UI, inputs.content_IC.device)))
    histories = histories_as_of.histories(events, user_B, network.recipe.history_half_lives)
    _, shares = network.mixed(item_ID, histories)
    sharpness = float(network.sharpness.exp())
    scales = [sparse.diags_array(share_B.cpu().numpy() * sharpness) for share_B in shares]
    weighted = [scale @ history_BI for scale, history_BI in zip(scales, histories, strict=True)]
    history_BI = sparse.csr_matrix(sum(weighted[1:], weighted[0])).astype(np.float32)
    user_BD = multiply(pair(history_BI, item_ID.device), item_ID)
    return Served(user_BD, item_ID, network.prior(events), history_BI)


def _length(vector_BD: Tensor) -> Tensor:
    return vector_BD.norm(dim=1).clamp(min=1e-6)
