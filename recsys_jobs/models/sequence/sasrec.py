"""SASRec (Kang and McAuley 2018): self-attention over the items that a user had, in their order.

x = sqrt(D) e_item at each place;   h = encoder(x), a user's vector at its last item;   score = h . e_item

with the same e at both ends (models/sequence/transformer.py has the encoder, models/sequence/learner.py how it learns).

I items, B batch of users, L places, N items of a step, X columns of context (none here), D width.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.models.sequence import learner
from recsys_jobs.models.sequence.learner import Family, SequenceLearner, no_context
from recsys_jobs.models.sequence.recipe import SequenceRecipe
from recsys_jobs.models.sequence.transformer import Encoder
from recsys_jobs.training import loop


class Identities(nn.Module):
    """One learned row an item. Items that are not known keep a row of zeros, for nothing ever trains it."""

    def __init__(self, dataset: Dataset, recipe: SequenceRecipe, known_I: Bools) -> None:
        super().__init__()
        known_I1 = torch.from_numpy(known_I).float()[:, None]
        self.item_ID = nn.Parameter(torch.randn(len(known_I), recipe.width) * recipe.start_scale * known_I1)

    def forward(self, item_N: Tensor) -> Tensor:
        """Return the rows [N, D]."""
        return functional.embedding(item_N, self.item_ID)


class Body(nn.Module):
    """From the items of a sequence to what stands at each place."""

    def __init__(self, recipe: SequenceRecipe) -> None:
        super().__init__()
        self.encoder = Encoder(recipe)

    def forward(self, vector_BLD: Tensor, context_BLX: Tensor) -> Tensor:
        """Return the hidden vectors [B, L, D]."""
        hidden_BLD: Tensor = self.encoder(vector_BLD * vector_BLD.shape[-1] ** 0.5)
        return hidden_BLD


FAMILY = Family(Identities, Body, no_context)
fit = partial(loop.fit, partial(SequenceLearner, FAMILY))
load = partial(learner.load, FAMILY)
