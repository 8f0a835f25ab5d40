"""Neighbours by cosine with shrinkage: which rows of a sparse matrix of ones are most alike.

s_nb = |n and b| / (sqrt(|n| |b|) + shrinkage)

Shrinkage keeps two rows that share their only entry from being the most alike of all.
N rows that may be neighbours, B rows whose neighbours are looked for (queries), F columns of both, D width of a dense
vector, I items, K nearest neighbours of a query, E entries of a sparse matrix.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse

from recsys_jobs.data.dataset import Bools, Ints
from recsys_jobs.ranking.faiss_search import neighbour_index, search

_BLOCK = 8_192  # items
_ENTRIES = 16_000_000  # likenesses in memory at once: 256 MB


def cosine_neighbours(
    candidate_NF: sparse.csr_matrix, query_BF: sparse.csr_matrix, query_row_B: Ints, neighbours: int, shrinkage: float
) -> sparse.csc_matrix:
    """Return the largest likenesses of each query [N, B], ties by row; row `query_row_B` is the query itself."""
    likeness_NB = (candidate_NF @ query_BF.T).tocoo()
    candidate_size_E = np.diff(candidate_NF.indptr)[likeness_NB.row]
    query_size_E = np.diff(query_BF.indptr)[likeness_NB.col]
    likeness_NB.data /= np.sqrt(candidate_size_E.astype(np.float64) * query_size_E) + shrinkage
    other_E = likeness_NB.row != query_row_B[likeness_NB.col]
    return largest_of_columns(likeness_NB, other_E, neighbours)


def query_blocks(queries: int, rows: int) -> Iterator[slice]:
    """Yield slices of so many queries that their likeness to all rows fits into memory, whatever they share."""
    size = max(1, _ENTRIES // max(1, rows))
    return (slice(start, min(start + size, queries)) for start in range(0, queries, size))


def largest_of_columns(matrix: sparse.coo_matrix, usable_E: Bools, count: int) -> sparse.csc_matrix:
    """Return the usable entries that are among the `count` largest of their column, ties by row."""
    entry_E = np.flatnonzero(usable_E)
    order = np.lexsort((matrix.row[entry_E], -matrix.data[entry_E], matrix.col[entry_E]))
    entry_E = entry_E[order]
    column_E = matrix.col[entry_E]
    rank_E = np.arange(len(column_E)) - np.searchsorted(column_E, column_E)
    entry_E = entry_E[rank_E < count]
    places = matrix.row[entry_E], matrix.col[entry_E]
    return sparse.csc_matrix((matrix.data[entry_E], places), shape=matrix.shape)


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
        usable_BK = (likeness_BK > 0) & (row_BK >= 0) & (row_BK != column_BK + start)
        places = row_BK[usable_BK], column_BK[usable_BK]
        values = likeness_BK[usable_BK] ** power
        near_IB = sparse.coo_matrix((values, places), shape=(items, len(query_BD)))
        blocks.append(largest_of_columns(near_IB, np.ones(len(values), dtype=bool), neighbours))
    return sparse.hstack(blocks, format="csc")
