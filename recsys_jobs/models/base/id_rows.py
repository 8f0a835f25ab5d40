"""Which row of a model's weights is whose: ids kept beside the weights, for a later dataset has other rows.

N rows of the weights, M rows of the dataset, D width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from recsys_jobs.data.dataset import Ints


def pack(ids: Sequence[str]) -> Tensor:
    """Return ids as bytes (uint8), which safetensors can hold."""
    text = "\n".join(ids).encode()
    return torch.from_numpy(np.frombuffer(text, np.uint8).copy())


def unpack(packed: Tensor) -> list[str]:
    """Return the ids that `pack` packed."""
    text = bytes(packed.numpy()).decode()
    return text.split("\n") if text else []


def rows_of(stored_ids: Sequence[str], ids: Sequence[str]) -> Ints:
    """Return the row of each of `ids` [M] among the stored ones [N], -1 where it is not among them."""
    row_of = {name: row for row, name in enumerate(stored_ids)}
    return np.array([row_of.get(name, -1) for name in ids], np.int64)


def rows_for(vector_ND: Tensor, stored_ids: Sequence[str], ids: Sequence[str]) -> Tensor:
    """Return the rows of `ids` [M, D], zeros where an id is not among the stored ones, whose rows are [N, D]."""
    row_M = torch.from_numpy(rows_of(stored_ids, ids))
    zeros_1D = vector_ND.new_zeros(1, vector_ND.shape[1])
    return torch.cat([vector_ND, zeros_1D])[row_M]  # -1 is the row of zeros
