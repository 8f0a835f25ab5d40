"""Items' numeric columns as a network's input: validated, tamed, centred, and 0 where unknown.

A column with a long tail (prices, view counts) is read through sign(x) log(1 + |x|). Means and deviations
are those of the items that training met; they stay with the network, so that a later dataset is read alike.
I items, K items whose value is known, N columns.
"""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor, nn

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Bools, Floats

_SKEWED = 2.0  # a third standardised moment above which a column has a long tail
_LIMIT = 5.0  # deviations beyond which a value is cut off: one absurd price must not steer the rest

log = logging.getLogger(__name__)


class Numbers(nn.Module):
    """What is known of each column, as buffers; a column that tells nothing is read as 0."""

    tailed_N: Tensor
    mean_N: Tensor
    scale_N: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("tailed_N", torch.zeros(columns, dtype=torch.bool))
        self.register_buffer("mean_N", torch.zeros(columns))
        self.register_buffer("scale_N", torch.zeros(columns))  # 1 / deviation

    def start(self, number_IN: Floats, met_I: Bools) -> None:
        """Take the columns' measures from the items that training met; JobError where a value is infinite."""
        infinite_N = np.isinf(number_IN).any(0)
        if infinite_N.any():
            column = int(infinite_N.argmax())
            raise JobError(f"numeric column {column} has an infinite value: correct the data")
        uninformative = [n for n in range(number_IN.shape[1]) if not self._measure(n, number_IN[met_I, n])]
        if uninformative:
            log.warning("numeric columns %s are unknown or the same for all items: they are not used", uninformative)

    def _measure(self, column: int, value_I: Floats) -> bool:
        """Set one column's measures; return False where the column tells nothing."""
        value_K = value_I[~np.isnan(value_I)].astype(np.float64)
        if not len(value_K) or value_K.std() == 0:
            return False
        third_moment = abs(((value_K - value_K.mean()) ** 3).mean())
        tailed = third_moment / value_K.std() ** 3 > _SKEWED
        value_K = np.sign(value_K) * np.log1p(np.abs(value_K)) if tailed else value_K
        self.tailed_N[column] = bool(tailed)
        self.mean_N[column] = float(value_K.mean())
        self.scale_N[column] = 1 / float(value_K.std())
        return True

    def forward(self, number_IN: Tensor) -> tuple[Tensor, Tensor]:
        """Return the columns in deviations [I, N], 0 where unknown, and whose items have any that tells [I]."""
        tamed_IN = torch.where(self.tailed_N, number_IN.sign() * number_IN.abs().log1p(), number_IN)
        known_IN = ~number_IN.isnan() & (self.scale_N > 0)
        deviation_IN = ((tamed_IN - self.mean_N) * self.scale_N).clamp(-_LIMIT, _LIMIT)
        return torch.where(known_IN, deviation_IN, 0.0), known_IN.any(1)
