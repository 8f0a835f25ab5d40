"""Multi-head self-attention over what is known of a user and an item (seed 1).

tokens   user ID, item ID, language, vision, numbers: each projected to one width; a missing one is masked
         y = x + W attention(norm(x)), and an item is the mean of its tokens' y
pair     user among the tokens: score = y_u . y_i + MLP([y_u; y_i])
towers   items alone attend: score = u . (y_i + MLP(y_i)), which folds
contrast CLIP's, between the language and the vision tokens of the items of a batch

Norm, queries, keys and values are of a token alone, so that they are made once for each user and item
where every pair is scored.

U users, I items, N rows (items or pairs), M tokens, H heads, D width, W width of a content.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.models.attention.recipe import AttentionRecipe
from recsys_jobs.models.layers.numeric_features import Numbers
from recsys_jobs.models.layers.projections import start_centred


class Tokens(NamedTuple):
    """Tokens of users, items or pairs, ready to attend; leading dimensions may be any."""

    x_NMD: Tensor
    query_key_value: Tensor  # [N, M, 3 D]
    present_NM: Tensor


class Contents(nn.Module):
    """What a dataset says of its items, on one device; no parameters."""

    text: Tensor
    text_present: Tensor
    image: Tensor
    image_present: Tensor
    numeric: Tensor

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        for name in ("text", "image"):
            rows = getattr(dataset, "text_IT" if name == "text" else "image_IV")
            self.register_buffer(name, torch.from_numpy(rows), persistent=False)
            present_I = torch.from_numpy(getattr(dataset, f"{name}_present_I"))
            self.register_buffer(f"{name}_present", present_I, persistent=False)
        self.register_buffer("numeric", torch.from_numpy(dataset.numeric_IN), persistent=False)

    @property
    def widths(self) -> dict[str, int]:
        """How wide each content is, 0 where there is none."""
        return {name: getattr(self, name).shape[1] for name in ("text", "image", "numeric")}


class AttentionNetwork(nn.Module):
    """The network of a recipe. Users that training does not meet keep a row of zeros; so do items."""

    def __init__(self, recipe: AttentionRecipe, trained_U: Bools, trained_I: Bools, widths: dict[str, int]) -> None:
        super().__init__()
        self.recipe = recipe
        width, scale = recipe.width, recipe.start_scale
        self.user_UD = nn.Parameter(torch.randn(len(trained_U), width) * scale * torch.from_numpy(trained_U)[:, None])
        self.item_ID = nn.Parameter(torch.randn(len(trained_I), width) * scale * torch.from_numpy(trained_I)[:, None])
        self.unknown_D = nn.Parameter(torch.randn(width) * scale)  # an item whose ID tells nothing
        self.met_I: Tensor
        self.register_buffer("met_I", torch.from_numpy(trained_I))
        self.numbers = Numbers(widths["numeric"])
        present = {name: content_width for name, content_width in widths.items() if content_width}
        self.projections = nn.ModuleDict({name: nn.Linear(wide, width) for name, wide in present.items()})
        self.kinds = nn.ParameterDict({name: torch.randn(width) * scale for name in ("user", "item")})
        self.norm = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        width_in, width_out = (2 * width, 1) if recipe.user_token else (width, width)
        self.readout = nn.Sequential(
            nn.LayerNorm(width_in),
            nn.Linear(width_in, recipe.hidden),
            nn.ReLU(),
            nn.Dropout(recipe.dropout),
            nn.Linear(recipe.hidden, width_out),
        )

    def start(self, dataset: Dataset, contents: Contents, trained_I: Bools) -> None:
        """Start from what training sees of the contents."""
        if dataset.numeric_IN.shape[1]:
            self.numbers.start(dataset.numeric_IN, trained_I)
        for name in ("text", "image"):
            if name in self.projections:
                layer = self.projections[name]
                assert isinstance(layer, nn.Linear)
                start_centred(layer, getattr(contents, name)[getattr(contents, f"{name}_present")])

    def content(self, contents: Contents, name: str, item_N: Tensor) -> tuple[Tensor, Tensor]:
        """Return one content's tokens [N, D], and where there is one [N]."""
        if name == "numeric":
            value_NW, present_N = self.numbers(contents.numeric[item_N])
        else:
            value_NW, present_N = getattr(contents, name)[item_N], getattr(contents, f"{name}_present")[item_N]
        return self.projections[name](value_NW), present_N

    def items(self, contents: Contents, item_N: Tensor, shown_NM: Tensor | None = None) -> Tokens:
        """Return items' tokens, the ID first; where `shown_NM` (bool) is false a token counts as missing."""
        shown = [self.content(contents, name, item_N) for name in self.projections]
        vectors, present = [vector for vector, _ in shown], [there for _, there in shown]
        present_NM = torch.stack([self.met_I[item_N], *present], dim=1)
        if shown_NM is not None:
            present_NM = present_NM & shown_NM
        id_ND = torch.where(present_NM[:, :1], functional.embedding(item_N, self.item_ID), self.unknown_D)
        present_NM = torch.cat([torch.ones_like(present_NM[:, :1]), present_NM[:, 1:]], dim=1)
        return self._tokens(torch.stack([id_ND + self.kinds["item"], *vectors], dim=1), present_NM)

    def users(self, user_ND: Tensor) -> Tokens:
        """Return the token of users whose vectors these are, one each."""
        x_N1D = (user_ND + self.kinds["user"])[:, None]
        return self._tokens(x_N1D, torch.ones_like(x_N1D[..., 0], dtype=torch.bool))

    def _tokens(self, x_NMD: Tensor, present_NM: Tensor) -> Tokens:
        x_NMD = functional.dropout(x_NMD, self.recipe.dropout, self.training)
        return Tokens(x_NMD, self.queries_keys_values(self.norm(x_NMD)), present_NM)

    def pair_scores(self, users: Tokens, items: Tokens) -> Tensor:
        """Return the scores [N] of users and items side by side."""
        pairs = Tokens(*(torch.cat(parts, dim=1) for parts in zip(users, items, strict=True)))
        y_NMD = self._attended(pairs)
        user_ND = y_NMD[:, 0]
        item_ND = mean_of_present(y_NMD[:, 1:], items.present_NM)
        layered_N: Tensor = self.readout(torch.cat([user_ND, item_ND], dim=1)).squeeze(1)
        return (user_ND * item_ND).sum(1) + layered_N

    def item_vectors(self, items: Tokens) -> Tensor:
        """Return items by themselves [N, D]; in towers, what users' vectors are multiplied with."""
        y_ND = mean_of_present(self._attended(items), items.present_NM)
        return y_ND if self.recipe.user_token else y_ND + self.readout(y_ND)

    def _attended(self, tokens: Tokens) -> Tensor:
        query, key, value = (
            part.unflatten(-1, (self.recipe.heads, -1)).transpose(1, 2)  # [N, H, M, D / H]
            for part in tokens.query_key_value.chunk(3, dim=-1)
        )
        seen = functional.scaled_dot_product_attention(query, key, value, tokens.present_NM[:, None, None])
        mixed: Tensor = self.mix(seen.transpose(1, 2).flatten(2))
        return tokens.x_NMD + functional.dropout(mixed, self.recipe.dropout, self.training)


def mean_of_present(y_NMD: Tensor, present_NM: Tensor) -> Tensor:
    """Return the mean over the tokens that are there [N, D]."""
    return (y_NMD * present_NM[..., None]).sum(1) / present_NM.sum(1, keepdim=True)
