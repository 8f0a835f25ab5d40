"""SASRec (Kang and McAuley 2018): self-attention over the items that a user had, in their order.

x_0 = dropout(sqrt(D) e_item + p_place)        a user's vector h = norm(x_last) at its last item
x' = x + dropout(attention(norm(x)))           each place sees those before it and itself
x'' = x' + dropout(feed(norm(x')))             score = h . e_item, the same e as at the input

Norms stand before their layer, which trains more calmly than behind it. Sequences begin at place 0 and
are padded at their end: what each place sees lies before it, so that no mask is needed.

I items, B batch of users, L places, H heads, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.dataset import Bools
from recsys_jobs.recipes import SASRecRecipe


class SASRec(nn.Module):
    """The network of a recipe. Items that are not known keep a row of zeros, for nothing ever trains it."""

    def __init__(self, recipe: SASRecRecipe, known_I: Bools) -> None:
        super().__init__()
        self.recipe = recipe
        known_I1 = torch.from_numpy(known_I).float()[:, None]
        self.item_ID = nn.Parameter(torch.randn(len(known_I), recipe.width) * recipe.start_scale * known_I1)
        self.place_LD = nn.Parameter(torch.randn(recipe.length, recipe.width) * recipe.start_scale)
        self.blocks = nn.ModuleList(Block(recipe) for _ in range(recipe.blocks))
        self.norm = nn.LayerNorm(recipe.width)

    def forward(self, item_BL: Tensor) -> Tensor:
        """Return what stands at each place [B, L, D]; places behind a user's last item mean nothing."""
        x_BLD = functional.embedding(item_BL, self.item_ID) * self.recipe.width**0.5
        x_BLD = x_BLD + self.place_LD[: item_BL.shape[1]]
        x_BLD = functional.dropout(x_BLD, self.recipe.dropout, self.training)
        for block in self.blocks:
            x_BLD = block(x_BLD)
        result: Tensor = self.norm(x_BLD)
        return result


class Block(nn.Module):
    """Attention, then two linear layers at each place."""

    def __init__(self, recipe: SASRecRecipe) -> None:
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
