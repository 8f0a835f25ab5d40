"""Neighbours by cosine with shrinkage: which rows of a sparse matrix of ones are most alike.

s_nb = |n and b| / (sqrt(|n| |b|) + shrinkage)

Shrinkage keeps two rows that share their only entry from being the most alike of all.
N rows that may be neighbours, B rows that are asked about, F columns of both.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse

from recsys_jobs.data.dataset import Bools, Ints
from recsys_jobs.ranking.faiss_search import neighbour_index, search

_BLOCK = 8_192  # items
_ENTRIES = 16_000_000  # likenesses held at once: 256 MB


def cosine_neighbours(
    among_NF: sparse.csr_matrix, query_BF: sparse.csr_matrix, itself_B: Ints, kept: int, shrinkage: float
) -> sparse.csc_matrix:
    """Return the `kept` largest likenesses of each query [N, B], ties by row; row `itself_B` is the query itself."""
    common_NB = (among_NF @ query_BF.T).tocoo()
    sizes = np.diff(among_NF.indptr)[common_NB.row], np.diff(query_BF.indptr)[common_NB.col]
    common_NB.data /= np.sqrt(sizes[0].astype(np.float64) * sizes[1]) + shrinkage
    return largest_of_columns(common_NB, common_NB.row != itself_B[common_NB.col], kept)


def query_blocks(queries: int, rows: int) -> Iterator[slice]:
    """Yield slices of so many queries that their likeness to all rows fits into memory, whatever they share."""
    size = max(1, _ENTRIES // max(1, rows))
    return (slice(start, min(start + size, queries)) for start in range(0, queries, size))


def largest_of_columns(matrix: sparse.coo_matrix, usable_N: Bools, kept: int) -> sparse.csc_matrix:
    """Return the usable entries [N] that are among the `kept` largest of their column, ties by row."""
    row_N, column_N, value_N = matrix.row[usable_N], matrix.col[usable_N], matrix.data[usable_N]
    order = np.lexsort((row_N, -value_N, column_N))
    row_N, column_N, value_N = row_N[order], column_N[order], value_N[order]
    kept_N = np.arange(len(column_N)) - np.searchsorted(column_N, column_N) < kept
    return sparse.csc_matrix((value_N[kept_N], (row_N[kept_N], column_N[kept_N])), shape=matrix.shape)


def text_neighbours(unit_ID: torch.Tensor, neighbours: int, power: float) -> sparse.csc_matrix:
    """Return N with the largest entries of each column; FAISS finds them."""
    items = len(unit_ID)
    if not unit_ID.any():
        return sparse.csc_matrix((items, items), dtype=np.float32)
    index = neighbour_index(unit_ID.numpy())
    blocks = []
    for start in range(0, items, _BLOCK):
        query_BD = unit_ID[start : start + _BLOCK].numpy()
        likeness_BK, row_BK = search(index, query_BD, min(neighbours + 1, items))
        column_BK = np.broadcast_to(np.arange(len(query_BD))[:, None], row_BK.shape)
        kept_BK = (likeness_BK > 0) & (row_BK >= 0) & (row_BK != column_BK + start)
        value_N = likeness_BK[kept_BK] ** power
        found = sparse.coo_matrix((value_N, (row_BK[kept_BK], column_BK[kept_BK])), shape=(items, len(query_BD)))
        blocks.append(largest_of_columns(found, np.ones(len(value_N), dtype=bool), neighbours))
    return sparse.hstack(blocks, format="csc")
