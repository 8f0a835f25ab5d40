"""The item graph: neighbours, the part of an edge that some events gave it, what a step leaves out.

I items, U users, K edges of the dataset, N entries of the symmetric CSR matrix (each edge stands twice), B training
pairs, P pairs of an item that leaves and another of its user's history, Q unknown items.
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
        rows, columns = self.weight_II.shape
        row_N = np.repeat(np.arange(rows), np.diff(self.weight_II.indptr))
        return row_N * columns + self.weight_II.indices


def build_graph(dataset: Dataset, all_UI: sparse.csr_matrix, seen_UI: sparse.csr_matrix) -> Graph:
    """Return the graph as the seen events show it.

    The dataset's edges count every event before the cut. An edge keeps the share of its weight that
    the seen events gave it; one that no event gave (also_bought alone) keeps all of it.
    """
    weight_K, shared_K = seen_weights(dataset, all_UI, seen_UI)
    visible_K = weight_K > 0
    source_K = dataset.edge_src_K[visible_K]
    target_K = dataset.edge_dst_K[visible_K]
    return _symmetric(source_K, target_K, weight_K[visible_K], shared_K[visible_K], len(dataset.items))


def _symmetric(source_K: Ints, target_K: Ints, weight_K: Floats, shared_K: Floats, items: int) -> Graph:
    row_N = np.concatenate([source_K, target_K])
    column_N = np.concatenate([target_K, source_K])
    order_N = np.argsort(row_N * items + column_N)
    starts = np.searchsorted(row_N[order_N], np.arange(items + 1))
    weight_N = np.tile(weight_K.astype(np.float32), 2)[order_N]
    weight_II = sparse.csr_matrix((weight_N, column_N[order_N], starts), shape=(items, items))
    return Graph(weight_II, np.tile(shared_K, 2)[order_N])


def without_pairs(graph: Graph, keys_N: Ints, history_UI: sparse.csr_matrix, user_B: Ints, item_B: Ints) -> Floats:
    """Return the weights [N] without what the training pairs (user, item) gave the edges.

    A pair gave 1 of the shared users to each edge between its item and the user's other items.
    Where two of a user's pairs leave at once their edge is counted twice: a little too strict.
    """
    other_P, item_P = _with_history(history_UI, user_B, item_B)
    items = history_UI.shape[1]
    lost_N = np.zeros(len(keys_N), np.float32)
    for key_P in (item_P * items + other_P, other_P * items + item_P):
        lost_N += _entry_counts(keys_N, key_P)
    shared_N, weight_N = graph.shared_N, graph.weight_II.data
    remaining_N = np.clip(shared_N - lost_N, 0, None) / np.maximum(shared_N, 1)
    return np.where(shared_N > 0, weight_N * remaining_N, weight_N).astype(np.float32)


def _entry_counts(keys_N: Ints, key_P: Ints) -> Ints:
    """Return how often each entry [N] is among the keys [P]; keys of no entry are left out."""
    if not len(keys_N):
        return np.zeros(0, np.int64)
    position_P = np.searchsorted(keys_N, key_P)
    entry_P = np.minimum(position_P, len(keys_N) - 1)
    hit_P = keys_N[entry_P] == key_P
    return np.bincount(position_P[hit_P], minlength=len(keys_N))


def _with_history(history_UI: sparse.csr_matrix, user_B: Ints, item_B: Ints) -> tuple[Ints, Ints]:
    """Return the items of each pair's user, at most HISTORY of them, beside the pair's item (pairs in a row)."""
    length_B = np.minimum(np.diff(history_UI.indptr)[user_B], HISTORY)
    before_B = length_B.cumsum() - length_B
    offset_P = np.arange(length_B.sum()) - np.repeat(before_B, length_B)
    start_P = np.repeat(history_UI.indptr[user_B], length_B)
    other_P = history_UI.indices[start_P + offset_P].astype(np.int64)
    return other_P, np.repeat(item_B, length_B)


def drop_edges(weight_II: sparse.csr_matrix, share: float, random: np.random.Generator) -> sparse.csr_matrix:
    """Return the graph without a random share of its edges, both directions of an edge together."""
    if share <= 0:
        return weight_II
    coo = weight_II.tocoo()
    upper = coo.row < coo.col
    upper[upper] = random.random(int(upper.sum())) >= share
    ends = coo.row[upper], coo.col[upper]
    half_II = sparse.csr_matrix((coo.data[upper], ends), shape=weight_II.shape)
    return (half_II + half_II.T).tocsr()


def known_neighbours(
    weight_II: sparse.csr_matrix, known_I: NDArray[np.bool_]
) -> tuple[Ints, sparse.csr_matrix, NDArray[np.bool_]]:
    """Return the unknown items [Q], their mean over known neighbours as a matrix [Q, I], and which have any [Q]."""
    unknown_Q = np.flatnonzero(~known_I)
    rows_QI = weight_II[unknown_Q].multiply(known_I[None, :].astype(np.float32)).tocsr()
    total_Q = np.asarray(rows_QI.sum(1)).ravel()
    mean_QI = sparse.diags(1 / np.maximum(total_Q, 1e-12)) @ rows_QI
    return unknown_Q, mean_QI.tocsr().astype(np.float32), total_Q > 0
