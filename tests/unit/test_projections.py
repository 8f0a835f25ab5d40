"""Projections of encoders' vectors: what these share stays outside."""

from __future__ import annotations

import torch
from torch import nn

from recsys_jobs.models.layers.projections import Centred, start_centred


def rows(people: int = 50, width: int = 30) -> torch.Tensor:
    """Vectors as an image encoder gives them: far from the origin, and near each other."""
    torch.manual_seed(0)
    return torch.randn(people, width) + 10 * torch.rand(width)


def step(layer: nn.Linear, row_NW: torch.Tensor) -> torch.Tensor:
    """The outputs after a few steps that ask them to be like others at random."""
    start_centred(layer, row_NW)
    target_ND = torch.randn(len(row_NW), layer.out_features)
    optimizer = torch.optim.Adam(layer.parameters(), 1e-2)
    for _ in range(10):
        optimizer.zero_grad()
        (layer(row_NW) - target_ND).square().mean().backward()
        optimizer.step()
    return layer(row_NW).detach()


def test_both_start_centred_and_of_length_one() -> None:
    for layer in (nn.Linear(30, 16), Centred(30, 16)):
        start_centred(layer, rows())
        output_ND = layer(rows()).detach()
        assert torch.allclose(output_ND.mean(0), torch.zeros(16), atol=1e-4)
        assert 0.7 < output_ND.norm(dim=1).mean() < 1.3


def test_learning_does_not_bring_back_what_all_inputs_share() -> None:
    """A plain layer's outputs are soon longer by what is the same in all of them."""
    shared = {}
    for layer in (nn.Linear(30, 16), Centred(30, 16)):
        output_ND = step(layer, rows())
        shared[type(layer)] = float(output_ND.mean(0).norm() / (output_ND - output_ND.mean(0)).norm(dim=1).mean())
    assert shared[Centred] < 0.5 < 1 < shared[nn.Linear]


def test_without_rows_nothing_is_centred() -> None:
    layer = Centred(3, 2)
    start_centred(layer, torch.zeros(0, 3))
    assert torch.equal(layer(torch.ones(1, 3)), nn.functional.linear(torch.ones(1, 3), layer.weight, layer.bias))
