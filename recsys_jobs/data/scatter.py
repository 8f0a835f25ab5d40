"""Vectors of distinct contents as one row an item. I items, R vectors, D width."""

from __future__ import annotations

import numpy as np

from recsys_jobs.data.dataset import Floats, Ints


def scatter_rows(row_I: Ints, vector_RD: Floats) -> Floats:
    """Return each item's vector [I, D], `row_I` naming its row; zeros where that is -1."""
    present_I = row_I >= 0
    scattered_ID = np.zeros((len(row_I), vector_RD.shape[1]), np.float32)
    scattered_ID[present_I] = vector_RD[row_I[present_I]]
    return scattered_ID
