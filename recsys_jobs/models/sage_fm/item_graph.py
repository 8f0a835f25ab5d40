"""The item graph: neighbours, the part of an edge that some events gave it, what a step leaves out.

I items, U users, N entries of the symmetric CSR matrix (each edge stands twice), B training pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsys_jobs.data.dataset import Dataset, Floats, Ints
from recsys_jobs.data.edges import seen_weights

HISTORY = 50  # last items of a heavy user's row that are looked up when its pairs leave: cost, not meaning


@dataclass(frozen=True)
class Graph:
    """The symmetric matrix of edge weights, and how many seen users share each edge's two items."""

    weight_II: sparse.csr_matrix
    shared_N: Floats  # in the order of weight_II.data; 0 where a listing alone makes the edge

    def keys(self) -> Ints:
        """Return row * I + column of each entry, ascending."""
        rows = np.repeat(np.arange(self.weight_II.shape[0]), np.diff(self.weight_II.indptr))
        return rows * self.weight_II.shape[1] + self.weight_II.indices


def build_graph(dataset: Dataset, all_UI: sparse.csr_matrix, seen_UI: sparse.csr_matrix) -> Graph:
    """Return the graph as the seen events show it.

    The dataset's edges count every event before the cut. An edge keeps the share of its weight that
    the seen events gave it; one that no event gave (also_bought alone) keeps all of it.
    """
    src, dst = dataset.edge_src_K, dataset.edge_dst_K
    weight, shared_K = seen_weights(dataset, all_UI, seen_UI)
    kept = weight > 0
    return _symmetric(src[kept], dst[kept], weight[kept], shared_K[kept], len(dataset.items))


def _symmetric(src: Ints, dst: Ints, weight: Floats, shared: Floats, items: int) -> Graph:
    rows, columns = np.concatenate([src, dst]), np.concatenate([dst, src])
    order = np.argsort(rows * items + columns)
    starts = np.searchsorted(rows[order], np.arange(items + 1))
    values = np.tile(weight.astype(np.float32), 2)[order]
    matrix = sparse.csr_matrix((values, columns[order], starts), shape=(items, items))
    return Graph(matrix, np.tile(shared, 2)[order])


def without_pairs(graph: Graph, keys_N: Ints, history_UI: sparse.csr_matrix, user_B: Ints, item_B: Ints) -> Floats:
    """Return the weights [N] without what the training pairs (user, item) gave the edges.

    A pair gave 1 of the shared users to each edge between its item and the user's other items.
    Where two of a user's pairs leave at once their edge is counted twice: a little too strict.
    """
    other_P, item_P = _with_history(history_UI, user_B, item_B)
    items = history_UI.shape[1]
    lost_N = np.zeros(len(keys_N), np.float32)
    for wanted in (item_P * items + other_P, other_P * items + item_P):
        place = np.searchsorted(keys_N, wanted)
        found = place[keys_N[np.minimum(place, len(keys_N) - 1)] == wanted] if len(keys_N) else place[:0]
        lost_N += np.bincount(found, minlength=len(keys_N))[: len(keys_N)]
    left_N = np.clip(graph.shared_N - lost_N, 0, None) / np.maximum(graph.shared_N, 1)
    return np.where(graph.shared_N > 0, graph.weight_II.data * left_N, graph.weight_II.data).astype(np.float32)


def _with_history(history_UI: sparse.csr_matrix, user_B: Ints, item_B: Ints) -> tuple[Ints, Ints]:
    """Return the items of each pair's user, at most HISTORY of them, beside the pair's item (pairs in a row)."""
    length_B = np.minimum(np.diff(history_UI.indptr)[user_B], HISTORY)
    offset_P = np.arange(length_B.sum()) - np.repeat(length_B.cumsum() - length_B, length_B)
    other_P = history_UI.indices[np.repeat(history_UI.indptr[user_B], length_B) + offset_P].astype(np.int64)
    return other_P, np.repeat(item_B, length_B)


def drop_edges(weight_II: sparse.csr_matrix, share: float, random: np.random.Generator) -> sparse.csr_matrix:
    """Return the graph without a random share of its edges, both directions of an edge together."""
    if share <= 0:
        return weight_II
    coo = weight_II.tocoo()
    upper = coo.row < coo.col
    upper[upper] = random.random(int(upper.sum())) >= share
    half = sparse.csr_matrix((coo.data[upper], (coo.row[upper], coo.col[upper])), shape=weight_II.shape)
    return (half + half.T).tocsr()


def known_neighbours(
    weight_II: sparse.csr_matrix, known_I: NDArray[np.bool_]
) -> tuple[Ints, sparse.csr_matrix, NDArray[np.bool_]]:
    """Return the unknown items [N], their mean over known neighbours as a matrix [N, I], and which have any [N]."""
    unknown_N = np.flatnonzero(~known_I)
    rows_NI = weight_II[unknown_N].multiply(known_I[None, :].astype(np.float32)).tocsr()
    total_N = np.asarray(rows_NI.sum(1)).ravel()
    mean_NI = sparse.diags(1 / np.maximum(total_N, 1e-12)) @ rows_NI
    return unknown_N, mean_NI.tocsr().astype(np.float32), total_N > 0
