"""GraphSAGE over the item graph (Hamilton 2017; the seed's section 4), inductive by its inputs.

A known node starts from its own learned input. An unknown one (never seen in training, or dropped at
random so that this path is learned) starts from the mean of its known neighbours' inputs.
I items, N unknown items, G graph width.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn
from torch_geometric.nn import SAGEConv

from recsys_jobs.models.layers.sparse import Sparse, multiply, pair, to_torch
from recsys_jobs.models.sage_fm.item_graph import known_neighbours


class View(NamedTuple):
    """The graph of one pass on the device: weights, and how the unknown nodes start."""

    weight_II: Tensor  # symmetric CSR
    unknown_N: Tensor
    start_NI: Sparse
    reachable_I: Tensor  # known, or with a known neighbour


def view(weight_II: sparse.csr_matrix, known_I: NDArray[np.bool_], weighted: bool, device: torch.device) -> View:
    """Return the pass's view of a weight matrix; unless `weighted`, every neighbour that is left counts alike."""
    if not weighted:
        values = (weight_II.data > 0).astype(np.float32)
        weight_II = sparse.csr_matrix((values, weight_II.indices, weight_II.indptr), shape=weight_II.shape)
    unknown_N, start_NI, has_neighbour_N = known_neighbours(weight_II, known_I)
    reachable_I = known_I.copy()
    reachable_I[unknown_N] = has_neighbour_N
    return View(
        to_torch(weight_II, device),
        torch.from_numpy(unknown_N).to(device),
        pair(start_NI, device),
        torch.from_numpy(reachable_I).to(device),
    )


class MeanSAGEConv(SAGEConv):
    """PyG's SAGEConv on a symmetric weight matrix: x_i' = W_l mean_j(x_j) + W_r x_i, the mean by edge weight.

    The matrix is its own transpose, which makes the gradient as cheap as the layer (see models/layers/sparse.py).
    """

    def message_and_aggregate(self, adj_t: Tensor, x: tuple[Tensor, Tensor]) -> Tensor:
        """Return the weighted mean of the neighbours' rows [I, G]; zero where there is none."""
        symmetric = Sparse(adj_t, adj_t)
        total_I1 = multiply(symmetric, torch.ones_like(x[0][:, :1]))
        return multiply(symmetric, x[0]) / total_I1.clamp(min=1e-12)


class GraphEncoder(nn.Module):
    """Trainable node inputs and `layers` SAGEConv layers of one width."""

    def __init__(self, items: int, width: int, layers: int, node_scale: float, linear: bool) -> None:
        super().__init__()
        self.input_IG = nn.Parameter(torch.randn(items, width) * node_scale)
        self.layers = nn.ModuleList(_layer(width, linear) for _ in range(layers))
        self.linear = linear

    def forward(self, graph: View, feature_IG: Tensor | None = None, alike_II: Sparse | None = None) -> Tensor:
        """Return graph vectors [I, G]; `feature_IG` is added to the inputs, then what alike items start from."""
        input_IG: Tensor = self.input_IG
        if len(graph.unknown_N):
            input_IG = input_IG.index_copy(0, graph.unknown_N, multiply(graph.start_NI, input_IG).to(input_IG.dtype))
        x_IG = input_IG if feature_IG is None else input_IG + feature_IG
        if alike_II is not None:
            x_IG = x_IG + multiply(alike_II, x_IG)
        for number, layer in enumerate(self.layers):
            x_IG = layer(x_IG, graph.weight_II)
            if not self.linear and number + 1 < len(self.layers):
                x_IG = x_IG.relu()
        return x_IG


def _layer(width: int, average: bool) -> MeanSAGEConv:
    """Return a layer; with `average` it starts as the average of a node and its neighbours' mean."""
    layer = MeanSAGEConv(width, width)
    if average:
        nn.init.zeros_(layer.lin_l.bias)
        for half in (layer.lin_l, layer.lin_r):
            nn.init.eye_(half.weight)
            half.weight.data /= 2
    return layer
