"""LightGCN (He et al. 2020); with no layers it is matrix factorisation by BPR (Rendle et al. 2009), `bpr_mf`.

h_0 = E        h_l = A h_(l-1)        x = mean of h_0 ... h_L        score = x_u . x_i
A = D^-1/2 [[0, X], [X^T, 0]] D^-1/2

X has the pairs that are trained on; whoever is scored is scored by all that the dataset says of them. A
node that training did not meet keeps a row of zeros in E. It starts from the mean of its neighbours'
rows instead: so a new user of `bpr_mf` is the mean of the items it had, and an item of the users who had
it. Users and items without any neighbour are the average of all the others.

U users, I items, N nodes (users, then items), D width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from recsys_jobs.models.base.vector_model import fill_unknown
from recsys_jobs.models.layers.sparse import to_torch
from recsys_jobs.models.lightgcn.recipe import LightGCNRecipe
from recsys_jobs.training.pairwise import Positives


class Nodes(nn.Module):
    """E: one learned row a node that is among the pairs or their negatives, zeros for the others."""

    def __init__(self, pairs: Positives, users: int, recipe: LightGCNRecipe) -> None:
        super().__init__()
        trained_N1 = torch.zeros(users + pairs.items, 1)
        trained_N1[np.concatenate([pairs.user_P, users + pairs.pool_N])] = 1
        start_ND = torch.randn(len(trained_N1), recipe.width) * recipe.start_scale
        self.vector_ND = nn.Parameter(start_ND * trained_N1)


def adjacency(history_UI: sparse.csr_matrix, device: torch.device) -> Tensor:
    """Return A [N, N], torch CSR; symmetric."""
    bipartite_NN = _bipartite(history_UI)
    degree_N = np.maximum(np.diff(bipartite_NN.indptr), 1)
    scale_NN = sparse.diags_array(degree_N**-0.5)
    return to_torch((scale_NN @ bipartite_NN @ scale_NN).tocsr(), device)


def _bipartite(history_UI: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return [[0, X], [X^T, 0]]."""
    return sparse.block_array([[None, history_UI], [history_UI.T, None]], format="csr")


def propagate(start_ND: Tensor, graph: Tensor, layers: int) -> Tensor:
    """Return the mean [N, D] of what each layer makes of the one before; `graph` is symmetric."""
    if not layers:
        return start_ND
    result: Tensor = _Propagate.apply(graph, layers, start_ND)
    return result


class _Propagate(torch.autograd.Function):
    """(1 + A + ... + A^L) E / (L + 1), by Horner's rule; symmetric, so that its gradient is the same sum."""

    @staticmethod
    def forward(ctx: Any, graph: Tensor, layers: int, start_ND: Tensor) -> Tensor:
        ctx.graph, ctx.layers = graph, layers
        return _mean_of_layers(graph, layers, start_ND)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor]:
        return None, None, _mean_of_layers(ctx.graph, ctx.layers, grads[0])


def _mean_of_layers(graph: Tensor, layers: int, start_ND: Tensor) -> Tensor:
    with torch.autocast(start_ND.device.type, enabled=False):
        total_ND = start_ND = start_ND.float().contiguous()
        for _ in range(layers):
            total_ND = torch.addmm(start_ND, graph, total_ND)
        return total_ND.div_(layers + 1)


def vectors(
    start_ND: Tensor, history_UI: sparse.csr_matrix, layers: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the vectors of users [U, D] and items [I, D] by a history, those of unknown ones included."""
    bipartite = to_torch(_bipartite(history_UI), device)
    trained_N1 = start_ND.any(1, keepdim=True)
    count_N1 = bipartite @ trained_N1.float()
    neighbours_ND = (bipartite @ start_ND) / count_N1.clamp(min=1)
    start_ND = torch.where(trained_N1, start_ND, neighbours_ND)
    vector_ND = propagate(start_ND, adjacency(history_UI, device), layers)
    user_UD, item_ID = vector_ND.split(list(history_UI.shape))
    return fill_unknown(user_UD), fill_unknown(item_ID)
