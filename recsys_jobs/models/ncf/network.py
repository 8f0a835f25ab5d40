"""Neural collaborative filtering on stars with what a movie says of itself (seed 2; He et al. 2017).

x = [user; movie; P_t title vector; P_g genres]        stars = mean + w' relu(W_2 relu(W_1 x + b_1) + b_2) + b

The title vector is a text encoder's (BERT in the seed), genres are multi-hot; what is missing adds nothing.
W_1 x is a sum of a user's part and an item's part, each computed once where every pair is scored.

U users, I items, B batch of users, N pairs (or their items), D width, T text width, G genres, H hidden width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.models.layers.projections import start_centred
from recsys_jobs.models.ncf.recipe import NcfRecipe

_BLOCK_NUMBERS = 32_000_000  # held at once where every pair is scored: 128 MB of float32


class Ncf(nn.Module):
    """The network of a recipe. Users and items that training does not meet keep a row of zeros."""

    mean: Tensor  # of the stars that training saw
    limits: Tensor  # the fewest and the most of them

    def __init__(self, recipe: NcfRecipe, trained_U: Bools, trained_I: Bools, text_width: int, genres: int) -> None:
        super().__init__()
        width = recipe.width
        self.user_UD = nn.Parameter(_rows(trained_U, recipe))
        self.item_ID = nn.Parameter(_rows(trained_I, recipe))
        self.text = nn.Linear(text_width, width) if text_width else None
        self.genres = nn.Linear(genres, width, bias=False) if genres else None
        contents = 1 + (text_width > 0) + (genres > 0)
        self.first_user = nn.Linear(width, recipe.hidden[0])
        self.first_item = nn.Linear(contents * width, recipe.hidden[0], bias=False)
        self.rest = _layers(recipe)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("limits", torch.zeros(2))

    @torch.no_grad()
    def start(self, dataset: Dataset, rating_N: Tensor) -> None:
        """Start from what training sees: the mean of its stars, their range, the texts' centre and length."""
        self.mean.copy_(rating_N.mean())
        self.limits.copy_(torch.stack([rating_N.min(), rating_N.max()]))
        if self.text is not None:
            title_vectors = torch.from_numpy(dataset.text_IT[dataset.text_present_I])
            start_centred(self.text, title_vectors.to(self.mean.device))

    def item_features(self, contents: Contents, item_N: Tensor) -> Tensor:
        """Return what stands for items before the layers [N, contents * D]."""
        parts = [functional.embedding(item_N, self.item_ID)]
        if self.text is not None:
            parts.append(self.text(contents.text_IT[item_N]) * contents.text_present_I[item_N, None])
        if self.genres is not None:
            parts.append(self.genres(contents.genre_IG[item_N].float()))
        return torch.cat(parts, dim=1)

    def forward(self, contents: Contents, user_N: Tensor, item_N: Tensor) -> Tensor:
        """Return the stars of pairs [N]."""
        user_NH = self.first_user(functional.embedding(user_N, self.user_UD))
        item_NH = self.first_item(self.item_features(contents, item_N))
        return self._stars(user_NH + item_NH)

    @torch.no_grad()
    def all_items(self, contents: Contents, user_B: Tensor) -> Tensor:
        """Return the stars of each user's pairs with every item [B, I], a few users at a time."""
        item_I = torch.arange(len(self.item_ID), device=user_B.device)
        item_IH = self.first_item(self.item_features(contents, item_I))
        user_BH = self.first_user(self.user_UD[user_B])
        blocks = user_BH.split(max(1, _BLOCK_NUMBERS // item_IH.numel()))
        return torch.cat([self._stars(block_BH[:, None] + item_IH) for block_BH in blocks])

    def _stars(self, hidden: Tensor) -> Tensor:
        stars: Tensor = self.mean + self.rest(hidden).squeeze(-1)
        return stars


class Contents(nn.Module):
    """What a dataset says of its items, on one device; no parameters."""

    text_IT: Tensor
    text_present_I: Tensor
    genre_IG: Tensor

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        for name in ("text_IT", "text_present_I", "genre_IG"):
            self.register_buffer(name, torch.from_numpy(getattr(dataset, name)), persistent=False)


def _rows(trained_N: Bools, recipe: NcfRecipe) -> Tensor:
    mask_N1 = torch.from_numpy(trained_N)[:, None]
    return torch.randn(len(trained_N), recipe.width) * recipe.start_scale * mask_N1


def _layers(recipe: NcfRecipe) -> nn.Sequential:
    """Return the layers behind the first one's sums."""
    layers: list[nn.Module] = [nn.ReLU(), nn.Dropout(recipe.dropout)]
    for width_in, width_out in zip(recipe.hidden, recipe.hidden[1:], strict=False):
        layers += [nn.Linear(width_in, width_out), nn.ReLU(), nn.Dropout(recipe.dropout)]
    return nn.Sequential(*layers, nn.Linear(recipe.hidden[-1], 1))
