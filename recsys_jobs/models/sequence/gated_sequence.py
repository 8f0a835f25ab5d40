"""Content and identity by a gate, a Transformer encoder over the history, a contrast with other items (seed 0).

s = mean of the projected text and image vectors      g = sigmoid(W [e; s] + b)
x = g e + (1 - g) s, of length one                    h = encoder(sqrt(D) x), of length one, at the last item
score = h . x / temperature

An item that training did not meet has no e and is s alone, one without contents e alone. The loss is InfoNCE
(van den Oord et al. 2018): each place's next item against others. These are drawn uniformly: drawn from the
batch, as is often done, they would be the popular items, and the score would count what is popular down.
Where the encoder is CLIP, text and image vectors share a space to begin with; any other pair is projected.

I items, B batch of users, L places, N items of a step, X columns of context (none here), D width.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.models.sequence import learner
from recsys_jobs.models.sequence.item_features import ItemParts
from recsys_jobs.models.sequence.learner import Family, SequenceLearner, no_context
from recsys_jobs.models.sequence.recipe import GatedSequenceRecipe
from recsys_jobs.models.sequence.transformer import Encoder
from recsys_jobs.training import loop


class GatedItems(ItemParts):
    """The item tower."""

    def __init__(self, dataset: Dataset, recipe: GatedSequenceRecipe, known_I: Bools) -> None:
        super().__init__(dataset, recipe, known_I)
        self.gate = nn.Linear(2 * recipe.width, recipe.width)

    def forward(self, item_N: Tensor) -> Tensor:
        """Return the items' vectors [N, D] of length one, zeros where nothing is known of one."""
        identity, content = self.identity(item_N), self.content(item_N)
        gate_ND = self.gate(torch.cat([identity.vector_BD, content.vector_BD], dim=1)).sigmoid()
        both_N1 = (identity.present_B & content.present_B)[:, None]
        gated_ND = gate_ND * identity.vector_BD + (1 - gate_ND) * content.vector_BD
        return functional.normalize(torch.where(both_N1, gated_ND, identity.vector_BD + content.vector_BD), dim=1)


class Body(nn.Module):
    """From the items of a sequence to the interest that stands at each place."""

    def __init__(self, recipe: GatedSequenceRecipe) -> None:
        super().__init__()
        self.temperature = recipe.temperature
        self.encoder = Encoder(recipe)

    def forward(self, vector_BLD: Tensor, context_BLX: Tensor) -> Tensor:
        """Return vectors [B, L, D] of length 1 / temperature."""
        hidden_BLD = self.encoder(vector_BLD * vector_BLD.shape[-1] ** 0.5)
        return functional.normalize(hidden_BLD, dim=-1) / self.temperature


FAMILY = Family(GatedItems, Body, no_context)
fit = partial(loop.fit, partial(SequenceLearner, FAMILY))
load = partial(learner.load, FAMILY)
