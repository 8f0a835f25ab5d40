"""Modalities into one vector: a projection each, then attention over those that are present.

    alpha_m = softmax_m( w_m' tanh(W x_m + b) ),   x = sum_m alpha_m x_m        (the seed's section 5)

A missing modality has alpha = 0 and the rest renormalise; with none present the vector is zero.
B batch, D width, M modalities.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Part(NamedTuple):
    """One modality of B users or items, in the common space: vectors, and where there is one."""

    vector_BD: Tensor
    present_B: Tensor  # bool

    def rows(self, row: Tensor | slice) -> Part:
        """Return the part of some of the users or items."""
        return Part(self.vector_BD[row], self.present_B[row])


def of_length_one(parts: dict[str, Part]) -> dict[str, Part]:
    """Return the parts with vectors of length one, so that none outweighs another but by its attention.

    A mean over a history is the shorter the more its items differ, and a part whose gradients come first grows: either
    decides what a modality is worth before attention has learned anything.
    """
    return {
        name: Part(functional.normalize(part.vector_BD, dim=1, eps=1e-6), part.present_B)
        for name, part in parts.items()
    }


class Fused(NamedTuple):
    """What attention made of the parts: vectors, and the weight of each modality."""

    vector_BD: Tensor
    attention_BM: Tensor


class Attention(nn.Module):
    """The seed's dynamic attention; `modalities` names the parts that it is given, in order."""

    def __init__(self, modalities: tuple[str, ...], width: int) -> None:
        super().__init__()
        self.modalities = modalities
        self.hidden = nn.Linear(width, width)
        self.weight_MD = nn.Parameter(torch.zeros(len(modalities), width))  # at first all weigh the same

    def forward(self, parts: dict[str, Part]) -> Fused:
        """Fuse parts [B, D]; a modality that is not among `parts` is missing for everyone."""
        present_BM = self._stacked({name: part.present_B for name, part in parts.items()}, fill=False)
        logit_BM = self._stacked({name: self._logits(name, part) for name, part in parts.items()}, fill=0.0)
        attention_BM = masked_softmax(logit_BM, present_BM)
        vectors = [attention_BM[:, m, None] * parts[name].vector_BD for m, name in self._used(parts)]
        return Fused(torch.stack(vectors).sum(0), attention_BM)

    def _used(self, parts: dict[str, Part]) -> list[tuple[int, str]]:
        return [(m, name) for m, name in enumerate(self.modalities) if name in parts]

    def _logits(self, name: str, part: Part) -> Tensor:
        weight_D = self.weight_MD[self.modalities.index(name)]
        return torch.tanh(self.hidden(part.vector_BD)) @ weight_D

    def _stacked(self, columns: dict[str, Tensor], fill: float | bool) -> Tensor:
        template = next(iter(columns.values()))
        return torch.stack([columns.get(name, torch.full_like(template, fill)) for name in self.modalities], dim=1)


def masked_softmax(logit_BM: Tensor, present_BM: Tensor) -> Tensor:
    """Return softmax over the present of each row: 0 where missing, all 0 where nothing is present."""
    highest_B1 = logit_BM.masked_fill(~present_BM, -1e30).amax(1, keepdim=True)
    # the floor keeps exp() from overflowing at a missing entry, whose logit may be far above the rest
    shifted_BM = (logit_BM - highest_B1).masked_fill(~present_BM, 0.0)
    weight_BM = shifted_BM.exp() * present_BM
    return weight_BM / weight_BM.sum(1, keepdim=True).clamp(min=1e-12)
