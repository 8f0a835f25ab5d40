"""Sparse by dense products whose gradient costs as much as the product itself.

torch's own gradient of a CSR product transposes the matrix anew at each step, which made a step on
a graph of a million edges twice as slow; here the transpose is given.

N rows, D width.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor


class Sparse(NamedTuple):
    """A constant sparse matrix and its transpose, both torch CSR float32."""

    matrix: Tensor
    transposed: Tensor


def to_torch(matrix: sparse.csr_matrix, device: torch.device) -> Tensor:
    """Return a scipy CSR matrix as torch CSR; 32-bit indices, which the CPU kernel takes without a copy."""
    pointers = torch.from_numpy(matrix.indptr.astype(np.int32, copy=False))
    columns = torch.from_numpy(matrix.indices.astype(np.int32, copy=False))
    values = torch.from_numpy(matrix.data.astype(np.float32, copy=False))
    with warnings.catch_warnings():  # torch says once that CSR is in beta; the tests compare it with dense products
        warnings.simplefilter("ignore", UserWarning)
        csr = torch.sparse_csr_tensor(pointers, columns, values, size=matrix.shape, check_invariants=False)
    return csr.to(device)


def pair(matrix: sparse.csr_matrix, device: torch.device) -> Sparse:
    """Return a scipy matrix with its transpose, ready for `multiply`."""
    return Sparse(to_torch(matrix, device), to_torch(matrix.T.tocsr(), device))


def multiply(matrix: Sparse, dense_ND: Tensor) -> Tensor:
    """Return matrix @ dense in float32, differentiable in the dense factor."""
    result: Tensor = _Multiply.apply(matrix.matrix, matrix.transposed, dense_ND)
    return result


class _Multiply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, dense_ND: Tensor) -> Tensor:
        ctx.transposed, ctx.dtype = transposed, dense_ND.dtype
        return _product(matrix, dense_ND)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor]:
        return None, None, _product(ctx.transposed, grads[0]).to(ctx.dtype)


def _product(matrix: Tensor, dense_ND: Tensor) -> Tensor:
    with torch.autocast(dense_ND.device.type, enabled=False):
        return matrix @ dense_ND.float().contiguous()
