"""The inverse of a positive definite matrix from its Cholesky factor, in place and by matrix products.

LAPACK's own routine (torch.cholesky_inverse) takes ten times as long on some CPUs: it works in small
strips where this multiplies blocks. It takes N^3 operations beside the factor's N^3 / 3.

N rows, B rows of a block.
"""

from __future__ import annotations

import torch
from torch import Tensor


def inverse_from_factor(factor_NN: Tensor, block: int = 1_024) -> Tensor:
    """Return (L L^T)^-1 [N, N] for a lower triangular L, in whose place it stands afterwards."""
    _invert_lower(factor_NN.tril_(), block)
    size = len(factor_NN)
    for start in range(0, size, block):
        rows = slice(start, min(start + block, size))
        # a block of rows of W^T W needs W from these rows on: what is overwritten is not needed again
        product_BN = factor_NN[start:, rows].T @ factor_NN[start:, : rows.stop]
        factor_NN[rows, : rows.stop] = product_BN
    for start in range(0, size, block):
        rows = slice(start, min(start + block, size))
        factor_NN[rows, rows.stop :] = factor_NN[rows.stop :, rows].T
    return factor_NN


def _invert_lower(factor_NN: Tensor, block: int) -> None:
    """Replace a lower triangular matrix by its inverse: [A 0; C B]^-1 = [A^-1 0; -B^-1 C A^-1 B^-1]."""
    size = len(factor_NN)
    if size <= block:
        identity = torch.eye(size, dtype=factor_NN.dtype, device=factor_NN.device)
        factor_NN.copy_(torch.linalg.solve_triangular(factor_NN, identity, upper=False))
        return
    half = size // 2
    upper, lower, corner = factor_NN[:half, :half], factor_NN[half:, half:], factor_NN[half:, :half]
    _invert_lower(upper, block)
    _invert_lower(lower, block)
    corner.copy_(lower @ (corner @ upper)).neg_()
