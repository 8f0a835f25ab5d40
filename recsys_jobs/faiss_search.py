"""Exact maximum-inner-product search: FAISS on the GPU where it and a device are there, else on the CPU.

Q queries, N vectors, D width.
"""

from __future__ import annotations

import logging
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
MOST_NEIGHBOURS = 2_048  # what a GPU index can give

log = logging.getLogger(__name__)


def inner_product_index(vector_ND: Floats) -> Any:
    """Return a flat index of these vectors; `search(queries, k)` gives scores and rows, -1 where there are fewer."""
    index = faiss.IndexFlatIP(vector_ND.shape[1])
    if gpu_available():
        log.info("FAISS searches on the GPU")
        index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    index.add(np.ascontiguousarray(vector_ND, dtype=np.float32))
    return index


def gpu_available() -> bool:
    """Return whether this FAISS was built for GPUs (the extra `gpu`) and sees one."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


def search(index: Any, query_QD: Floats, k: int) -> tuple[Floats, Ints]:
    """Return the scores and rows [Q, k] of the best vectors, best first; ties in no promised order."""
    scores, rows = index.search(np.ascontiguousarray(query_QD, dtype=np.float32), k)
    return scores, rows
