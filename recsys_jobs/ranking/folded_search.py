"""Top-K of a model that folds to one inner product: FAISS proposes, float64 decides.

A pair's score is its inner product in float64, rounded to float32: the same number in whatever block
it is computed, which FAISS's own float32 sums are not. FAISS gives each user K + owned + a margin of
candidates, enough to fill K places once the owned ones are gone. The first K + margin of the others are
scored again, and stand if the last place lies above what the next one's FAISS score, with the error
bound of a float32 sum, leaves possible for all the rest. Else (ties at the edge, or more owned items
than FAISS should dig up) the user's whole catalogue is scored. The result is always exact.

U users, I items, A allowed items, B block of users, G users of one search, C candidates,
N of them scored again, K places, F factors, P owned pairs.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from recsys_jobs.data.dataset import Bools, Floats, Ints
from recsys_jobs.ranking.faiss_search import MOST_NEIGHBOURS, inner_product_index, search
from recsys_jobs.ranking.model import Factors
from recsys_jobs.ranking.stable_top_k import mask_owned, stable_top_k

_MARGIN = 4  # candidates beyond K that are scored again, so that the proof rarely fails
_REACHES = (24, 96, 384, 1_024, MOST_NEIGHBOURS)  # candidates beyond K: users are searched in so many groups
_PRODUCTS = 16_000_000  # float64 scores held at once: 128 MB
_GATHERED = 250_000  # float64 numbers of candidates held at once: 2 MB stay in a CPU's cache
_HALF_ULP = 2.0**-24  # relative error of one float32 operation

TopK = tuple[Ints, Floats]  # items [B, K] and scores [B, K]


class FoldedSearch:
    """The allowed items of one folded model, indexed once for all the blocks of users."""

    def __init__(self, factors: Factors, item_A: Ints) -> None:
        self.user_UF = factors.user_UF.float().cpu().numpy()
        self.item_A = item_A
        vector_AF = factors.item_IF.float().cpu().numpy()[item_A]
        self.index = inner_product_index(vector_AF)
        self.vector_AF = vector_AF.astype(np.float64)
        longest = np.sqrt(np.einsum("af,af->a", self.vector_AF, self.vector_AF).max(initial=0.0))
        # a float32 sum of so many products is off by no more than this, times the user's length
        self.error = (self.vector_AF.shape[1] + 8) * _HALF_ULP * longest

    def __call__(self, user_B: Ints, owned_BA: sparse.csr_matrix, k: int) -> TopK:
        """Return the best k allowed items that each user does not own, and their scores.

        Where there are fewer than k, the last places hold owned items with the score -inf. k <= A.
        """
        item_BK = np.empty((len(user_B), k), np.int64)
        score_BK = np.empty((len(user_B), k), np.float32)
        exact_B = np.zeros(len(user_B), dtype=bool)
        reach_B = self._reach(np.diff(owned_BA.indptr), k)
        for reach in np.unique(reach_B[reach_B > 0]):
            rows = np.flatnonzero(reach_B == reach)
            top_k = self._search(user_B[rows], owned_BA[rows], k, int(reach))
            item_BK[rows], score_BK[rows], exact_B[rows] = top_k
        inexact = np.flatnonzero(~exact_B)
        block = max(1, _PRODUCTS // max(1, len(self.item_A)))
        for start in range(0, len(inexact), block):
            rows = inexact[start : start + block]
            item_BK[rows], score_BK[rows] = self._score_all(user_B[rows], owned_BA[rows], k)
        return item_BK, score_BK

    def _reach(self, owned_B: Ints, k: int) -> Ints:
        """Return how many candidates each user needs, in a few sizes; 0 where the whole catalogue is cheaper."""
        items = len(self.item_A)
        reaches = [k + beyond for beyond in _REACHES]
        fitting = [reach for reach in reaches if reach < items // 4 and reach <= MOST_NEIGHBOURS]
        sizes = np.array(fitting, dtype=np.int64)
        if items <= MOST_NEIGHBOURS // 4:  # so few that FAISS may as well give them all
            sizes = np.append(sizes, items)
        needed_B = np.minimum(owned_B + k + _MARGIN + 1, items)
        place_B = np.searchsorted(sizes, needed_B)
        return np.append(sizes, 0)[place_B]

    def _search(self, user_G: Ints, owned_GA: sparse.csr_matrix, k: int, reach: int) -> tuple[Ints, Floats, Bools]:
        """Return items, scores and whether they are proven to be the best."""
        query_GF = self.user_UF[user_G]
        faiss_score_GC, row_GC = search(self.index, query_GF, reach)
        owned_GC = _owned_among(row_GC, owned_GA)
        order_GC = owned_GC.argsort(axis=1, kind="stable")  # FAISS's order, owned ones last
        edge_G1 = order_GC[:, : k + _MARGIN + 1][:, -1:]  # the best of those that are not scored again
        bound_G = self._bound(query_GF, np.take_along_axis(faiss_score_GC, edge_G1, axis=1)[:, 0])
        row_GN = np.take_along_axis(row_GC, order_GC[:, : k + _MARGIN], axis=1)
        row_GN.sort(axis=1)  # ties by position are then ties by item
        score_GN = self._scores(query_GF, row_GN)
        score_GN[_owned_among(row_GN, owned_GA)] = -np.inf
        best_GK = (-score_GN).argsort(axis=1, kind="stable")[:, :k]
        score_GK = np.take_along_axis(score_GN, best_GK, axis=1)
        exact_G = (score_GK[:, -1] > bound_G) | (row_GN.shape[1] == len(self.item_A))
        exact_G &= row_GC.min(axis=1) >= 0  # FAISS leaves places empty where a product overflows
        return self.item_A[np.take_along_axis(row_GN, best_GK, axis=1)], score_GK, exact_G

    def _bound(self, query_GF: Floats, faiss_score_G: Floats) -> Floats:
        """Return the largest score that an item may have to which FAISS gives at most `faiss_score_G`."""
        length_G = np.sqrt(np.einsum("gf,gf->g", query_GF, query_GF, dtype=np.float64))
        bound_G: Floats = (faiss_score_G + self.error * length_G).astype(np.float32)
        return bound_G

    def _scores(self, query_GF: Floats, row_GN: Ints) -> Floats:
        """Return the scores [G, N] of candidates; in one thread and a cache's worth at a time, ten times as fast."""
        score_GN = np.empty(row_GN.shape, dtype=np.float32)
        block = max(1, _GATHERED // max(1, row_GN.shape[1] * query_GF.shape[1]))
        for start in range(0, len(row_GN), block):
            rows = slice(start, start + block)
            vector_GNF = self.vector_AF.take(row_GN[rows], axis=0)
            query = query_GF[rows].astype(np.float64)
            score_GN[rows] = np.einsum("gnf,gf->gn", vector_GNF, query)
        return score_GN

    def _score_all(self, user_G: Ints, owned_GA: sparse.csr_matrix, k: int) -> TopK:
        """Return the best k by the scores of every allowed item."""
        query_GF = torch.from_numpy(self.user_UF[user_G].astype(np.float64))
        score_GA = (query_GF @ torch.from_numpy(self.vector_AF).T).float()
        score_GA = mask_owned(score_GA, owned_GA)
        column_GK = stable_top_k(score_GA, k)
        return self.item_A[column_GK.numpy()], score_GA.gather(1, column_GK).numpy()


def _owned_among(row_GC: Ints, owned_GA: sparse.csr_matrix) -> Bools:
    """Return which candidates their user owns [G, C]."""
    users, items = owned_GA.shape
    owner_P, owned_P = owned_GA.nonzero()
    key_P = np.sort(owner_P.astype(np.int64) * items + owned_P)
    key_GC = np.arange(users)[:, None] * items + row_GC
    place_GC = np.searchsorted(key_P, key_GC)
    return np.append(key_P, -1)[place_GC] == key_GC
