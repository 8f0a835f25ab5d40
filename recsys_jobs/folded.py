"""Top-K of a model that folds to one inner product: FAISS proposes, float64 decides.

A pair's score is its inner product in float64, rounded to float32: the same number in whatever block
it is computed, which FAISS's own float32 sums are not. FAISS gives each user K + owned + a margin of
candidates, more than enough to fill K places once the owned ones are gone. They are scored again, and
stand if the last place lies above all that FAISS's worst candidate, with the error bound of a float32
sum, leaves possible for the items it did not propose. Else (ties at the edge, or more owned items
than FAISS should dig up) the user's whole catalogue is scored. The result is always exact.

U users, I items, A allowed items, B block of users, G users of one search, C candidates, K places, F factors.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.dataset import Bools, Floats, Ints
from recsys_jobs.faiss_search import MOST_NEIGHBOURS, inner_product_index, search
from recsys_jobs.models.contract import Factors
from recsys_jobs.selection import best_of, without_owned

_MARGIN = 4  # candidates beyond K + owned, so that the proof rarely fails
_REACHES = (16, 64, 256, 1_024, MOST_NEIGHBOURS)  # candidates beyond K: users are searched in so many groups
_PRODUCTS = 16_000_000  # float64 numbers held at once: 128 MB
_HALF_ULP = 2.0**-24  # relative error of one float32 operation

Places = tuple[Ints, Floats]  # items [B, K] and scores [B, K]


class FoldedSearch:
    """The allowed items of one folded model, indexed once for all the blocks of users."""

    def __init__(self, factors: Factors, item_A: Ints) -> None:
        self.user_UF = factors.user_UF.float().cpu()
        self.item_A = item_A
        self.vector_AF = factors.item_IF.float().cpu()[torch.from_numpy(item_A)]
        self.index = inner_product_index(self.vector_AF.numpy())
        width = self.vector_AF.shape[1]
        self.error = (width + 2) * _HALF_ULP * float(self.vector_AF.double().norm(dim=1).amax()) if len(item_A) else 0.0

    def __call__(self, user_B: Ints, owned_BA: sparse.csr_matrix, k: int) -> Places:
        """Return the best k allowed items that each user does not own, and their scores.

        Where there are fewer than k, the last places hold owned items with the score -inf. k <= A.
        """
        item_BK, score_BK = np.empty((len(user_B), k), np.int64), np.empty((len(user_B), k), np.float32)
        exact_B = np.zeros(len(user_B), dtype=bool)
        reach_B = self._reach(np.diff(owned_BA.indptr), k)
        for reach in np.unique(reach_B[reach_B > 0]):
            rows = np.flatnonzero(reach_B == reach)
            item_BK[rows], score_BK[rows], exact_B[rows] = self._searched(user_B[rows], owned_BA[rows], k, int(reach))
        rest = np.flatnonzero(~exact_B)
        block = max(1, _PRODUCTS // max(1, len(self.item_A)))
        for start in range(0, len(rest), block):
            rows = rest[start : start + block]
            item_BK[rows], score_BK[rows] = self._whole(user_B[rows], owned_BA[rows], k)
        return item_BK, score_BK

    def _reach(self, owned_B: Ints, k: int) -> Ints:
        """Return how many candidates each user needs, in a few sizes; 0 where the whole catalogue is cheaper."""
        items = len(self.item_A)
        fitting = [k + reach for reach in _REACHES if k + reach < items // 4 and k + reach <= MOST_NEIGHBOURS]
        sizes = np.array(fitting, dtype=np.int64)
        if items <= MOST_NEIGHBOURS // 4:  # so few that FAISS may as well give them all
            sizes = np.append(sizes, items)
        place_B = np.searchsorted(sizes, np.minimum(owned_B + k + _MARGIN, items))
        return np.append(sizes, 0)[place_B]

    def _searched(self, user_G: Ints, owned_GA: sparse.csr_matrix, k: int, reach: int) -> tuple[Ints, Floats, Bools]:
        """Return items, scores and whether they are proven to be the best."""
        query_GF = self.user_UF[torch.from_numpy(user_G)]
        found_GC, row_GC = search(self.index, query_GF.numpy(), reach)
        row_GC.sort(axis=1)  # ties by position are then ties by item
        score_GC = self._scores(query_GF, torch.from_numpy(row_GC))
        score_GC[torch.from_numpy(_owned_among(row_GC, owned_GA))] = -torch.inf
        column_GK = best_of(score_GC, k)
        score_GK = score_GC.gather(1, column_GK).numpy()
        bound_G = found_GC[:, -1] + self.error * query_GF.double().norm(dim=1).numpy()
        exact_G = (score_GK[:, -1] > bound_G.astype(np.float32)) | (reach == len(self.item_A))
        exact_G &= row_GC[:, 0] >= 0  # FAISS leaves places empty where a product overflows
        item_GK = self.item_A[np.take_along_axis(row_GC, column_GK.numpy(), axis=1)]
        return item_GK, score_GK, exact_G

    def _scores(self, query_GF: Tensor, row_GC: Tensor) -> Tensor:
        """Return the scores [G, C] of candidates."""
        score_GC = torch.empty(row_GC.shape)
        block = max(1, _PRODUCTS // (row_GC.shape[1] * query_GF.shape[1]))
        for start in range(0, len(row_GC), block):
            rows = slice(start, start + block)
            vector_GCF = self.vector_AF[row_GC[rows]].double()
            score_GC[rows] = (vector_GCF @ query_GF[rows].double()[:, :, None]).squeeze(2).float()
        return score_GC

    def _whole(self, user_G: Ints, owned_GA: sparse.csr_matrix, k: int) -> Places:
        """The same scores, of every allowed item."""
        query_GF = self.user_UF[torch.from_numpy(user_G)]
        score_GA = (query_GF.double() @ self.vector_AF.double().T).float()
        score_GA = without_owned(score_GA, owned_GA)
        column_GK = best_of(score_GA, k)
        return self.item_A[column_GK.numpy()], score_GA.gather(1, column_GK).numpy()


def _owned_among(row_GC: Ints, owned_GA: sparse.csr_matrix) -> Bools:
    """Return which candidates their user owns [G, C]."""
    users, items = owned_GA.shape
    owner, owned = owned_GA.nonzero()
    key_N = np.sort(owner.astype(np.int64) * items + owned)
    key_GC = np.arange(users)[:, None] * items + row_GC
    place_GC = np.searchsorted(key_N, key_GC)
    return np.append(key_N, -1)[place_GC] == key_GC
