"""Content vectors into a model's own space, whatever the encoder's scale.

N rows, W width of the encoder, D width of the model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Centred(nn.Linear):
    """A linear layer over inputs less their mean, of length about one: it learns from what tells them apart alone.

    A plain layer's first steps follow the direction that all its inputs share, many times longer than the rest in an
    image encoder's: its outputs grow long and alike, and attention rightly leaves them.
    """

    mean_W: Tensor
    length: Tensor

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.register_buffer("mean_W", torch.zeros(in_features))
        self.register_buffer("length", torch.ones(()))

    def forward(self, row_NW: Tensor) -> Tensor:
        """Return the projected rows [N, D]."""
        return super().forward((row_NW - self.mean_W) / self.length)


@torch.no_grad()
def start_centred(layer: nn.Linear, row_NW: Tensor) -> None:
    """Start a layer at random so that rows like these come out centred and of length about one.

    Encoders give all their vectors one common direction, and each its own length; without rows nothing changes.
    """
    if not len(row_NW):
        return
    mean_W = row_NW.mean(0)
    centred_NW = row_NW - mean_W
    length = centred_NW.square().sum(1).mean().sqrt().clamp(min=1e-6)
    nn.init.normal_(layer.weight, std=layer.out_features**-0.5)
    if isinstance(layer, Centred):
        layer.mean_W.copy_(mean_W)
        layer.length.copy_(length)
        nn.init.zeros_(layer.bias)
        return
    layer.weight /= length
    layer.bias.copy_(-(layer.weight @ mean_W))
