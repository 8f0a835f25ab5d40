"""Search by inner product: FAISS on the GPU where it and a device are there, else on the CPU.

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
MOST_FLAT = 200_000  # vectors: comparing each with each takes about ten minutes on a few cores

log = logging.getLogger(__name__)


def inner_product_index(vector_ND: Floats) -> Any:
    """Return a flat index, whose search is exact, of these vectors."""
    return _add_vectors(faiss.IndexFlatIP(vector_ND.shape[1]), vector_ND)


def neighbour_index(vector_ND: Floats, flat_up_to: int = MOST_FLAT) -> Any:
    """Return an index for looking up every vector's neighbours: exact up to `flat_up_to` vectors.

    Above that the vectors are sorted into cells by k-means (FAISS seeds it), and the 32 nearest cells
    of about 4 sqrt(N) are searched: a few neighbours in a hundred are missed.
    """
    count, width = vector_ND.shape
    if count <= flat_up_to:
        return inner_product_index(vector_ND)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, int(4 * count**0.5), faiss.METRIC_INNER_PRODUCT)
    index.nprobe = 32
    index.train(np.ascontiguousarray(vector_ND, dtype=np.float32))
    return _add_vectors(index, vector_ND)


def _add_vectors(index: Any, vector_ND: Floats) -> Any:
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
