"""Content vectors into a model's own space, whatever the encoder's scale. N rows, W width of the encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def start_centred(layer: nn.Linear, row_NW: Tensor) -> None:
    """Start a layer at random so that rows like these come out centred and of length about one.

    Encoders give all their vectors one common direction, and each its own length; without rows nothing changes.
    """
    if not len(row_NW):
        return
    mean_W = row_NW.mean(0)
    length = (row_NW - mean_W).square().sum(1).mean().sqrt().clamp(min=1e-6)
    nn.init.normal_(layer.weight, std=layer.out_features**-0.5)
    layer.weight /= length
    layer.bias.copy_(-(layer.weight @ mean_W))
