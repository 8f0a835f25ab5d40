"""A Transformer encoder over sequences that begin at place 0 and are padded at their end.

x_0 = dropout(x + p_place),   x' = x + dropout(attention(norm(x))),   x'' = x' + dropout(feed(norm(x')))

What each place sees lies before it or is itself, so that the padding needs no mask and every place can
be asked for the next item. Norms stand before their layer, which trains more calmly than behind it.

B batch of users, L places, H heads, D width, F width of the feed-forward layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.models.sequence.recipe import SequenceRecipe


class Encoder(nn.Module):
    """The places' vectors, and the blocks on top of them."""

    def __init__(self, recipe: SequenceRecipe) -> None:
        super().__init__()
        self.dropout = recipe.dropout
        self.place_LD = nn.Parameter(torch.randn(recipe.length, recipe.width) * recipe.start_scale)
        self.blocks = nn.ModuleList(Block(recipe) for _ in range(recipe.blocks))
        self.norm = nn.LayerNorm(recipe.width)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Return what stands at each place [B, L, D]; places behind a user's last item mean nothing."""
        x_BLD = functional.dropout(x_BLD + self.place_LD[: x_BLD.shape[1]], self.dropout, self.training)
        for block in self.blocks:
            x_BLD = block(x_BLD)
        result: Tensor = self.norm(x_BLD)
        return result


class Block(nn.Module):
    """Attention, then two linear layers at each place."""

    def __init__(self, recipe: SequenceRecipe) -> None:
        super().__init__()
        width = recipe.width
        self.heads, self.dropout = recipe.heads, recipe.dropout
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.feed_in, self.feed_out = nn.Linear(width, recipe.feed_width), nn.Linear(recipe.feed_width, width)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Return the next layer's places [B, L, D]."""
        x_BLD = x_BLD + self._dropped(self._attended(self.attention_norm(x_BLD)))
        hidden_BLF = self._dropped(self.feed_in(self.feed_norm(x_BLD)).relu())
        return x_BLD + self._dropped(self.feed_out(hidden_BLF))

    def _attended(self, x_BLD: Tensor) -> Tensor:
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, H, L, D / H]
            for part in self.queries_keys_values(x_BLD).chunk(3, dim=-1)
        )
        share = self.dropout if self.training else 0.0
        seen = functional.scaled_dot_product_attention(query, key, value, dropout_p=share, is_causal=True)
        mixed: Tensor = self.mix(seen.transpose(1, 2).flatten(2))
        return mixed

    def _dropped(self, x_BLD: Tensor) -> Tensor:
        return functional.dropout(x_BLD, self.dropout, self.training)
