"""A GPT-2 decoder over items, stars and time (seed 3).

item   x_i = learned row + mean of projected text, image and numbers, of length one
place  z_t = sqrt(D) x_t + W c_t,   c_t: stars of the event, when and where from the next item is asked for
       h = GPT-2(z), of length one;   score = h_last . x / temperature

time_features.py says what is told of the time. Places are hashed into a fixed number of columns, so that one
that training did not meet has a column all the same. The decoder is transformers' own GPT-2 without its
vocabulary, of the recipe's size. A modality that the data does not have is all zeros, and costs nothing but
its columns.

E events, B batch of users, L places, N items of a step, X columns of context, D width.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from torch import Tensor, nn
from torch.nn import functional
from transformers import GPT2Config, GPT2Model

from recsys_jobs.data.dataset import Floats
from recsys_jobs.models.sequence import learner, time_features
from recsys_jobs.models.sequence.event_sequences import Sequences
from recsys_jobs.models.sequence.item_features import ItemParts
from recsys_jobs.models.sequence.learner import Family, SequenceLearner
from recsys_jobs.models.sequence.recipe import TemporalGPT2Recipe
from recsys_jobs.training import loop


class SummedItems(ItemParts):
    """The item tower."""

    def forward(self, item_N: Tensor) -> Tensor:
        """Return the items' vectors [N, D] of length one, zeros where nothing is known of one."""
        return functional.normalize(self.identity(item_N).vector_BD + self.content(item_N).vector_BD, dim=1)


class Body(nn.Module):
    """From the items of a sequence and their context to what stands at each place."""

    def __init__(self, recipe: TemporalGPT2Recipe) -> None:
        super().__init__()
        self.temperature = recipe.temperature
        self.context = nn.Linear(context(_EMPTY, recipe).shape[1], recipe.width)
        self.decoder = GPT2Model(_config(recipe))

    def forward(self, vector_BLD: Tensor, context_BLX: Tensor) -> Tensor:
        """Return vectors [B, L, D] of length 1 / temperature."""
        z_BLD = vector_BLD * vector_BLD.shape[-1] ** 0.5 + self.context(context_BLX)
        hidden_BLD = self.decoder(inputs_embeds=z_BLD).last_hidden_state
        return functional.normalize(hidden_BLD, dim=-1) / self.temperature


def _config(recipe: TemporalGPT2Recipe) -> GPT2Config:
    return GPT2Config(
        vocab_size=1,
        bos_token_id=None,
        eos_token_id=None,
        n_positions=recipe.length,
        n_embd=recipe.width,
        n_layer=recipe.blocks,
        n_head=recipe.heads,
        n_inner=recipe.feed_width,
        resid_pdrop=recipe.dropout,
        embd_pdrop=recipe.dropout,
        attn_pdrop=recipe.dropout,
        use_cache=False,
        dtype="float32",
    )


def context(events: Sequences, recipe: TemporalGPT2Recipe) -> Floats:
    """Return what is known of each event besides its item [E, X]; zeros for what the recipe leaves out."""
    moment = time_features.moment(time_features.asked_moments(events))
    gap = time_features.gap(events, recipe.session_hours)
    known_E = ~np.isnan(events.rating_E)
    stars = np.stack([np.where(known_E, (events.rating_E - 3) / 2, 0), known_E], axis=1)
    columns = [moment * recipe.time, gap * recipe.time, stars * recipe.stars, _places(events, recipe.place_columns)]
    return np.concatenate(columns, axis=1, dtype=np.float32)


def _places(events: Sequences, columns: int) -> Floats:
    """Return a one in the column of the place that the next item is asked for from [E, columns], zeros if unknown."""
    place_E = time_features.asked_places(events)
    return ((place_E % max(1, columns))[:, None] == np.arange(columns)) & (place_E >= 0)[:, None]


_NONE = np.zeros(0, np.int64)
_EMPTY = Sequences(_NONE, _NONE, np.zeros(0, np.float32), _NONE, _NONE, _NONE, -1)

FAMILY = Family(SummedItems, Body, context)
fit = partial(loop.fit, partial(SequenceLearner, FAMILY))
load = partial(learner.load, FAMILY)
