"""The K best of each row, equal scores in index order: what torch's own top-K does not promise.

B rows (users), C candidates, K chosen, N rows with a tie at the last place; I items, A allowed items.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor


def stable_top_k(score_BC: Tensor, k: int) -> Tensor:
    """Return the columns [B, k] of the k largest scores of each row, best first, ties by column; k <= C, no NaN."""
    if k == 0:
        return torch.empty(len(score_BC), 0, dtype=torch.int64)
    value_BK, column_BK = score_BC.topk(min(k + 1, score_BC.shape[1]), dim=1)
    chosen_BK = column_BK[:, :k].sort(dim=1).values
    if value_BK.shape[1] > k:
        tied = torch.nonzero(value_BK[:, k] == value_BK[:, k - 1]).squeeze(1)  # several may take the last place
        if len(tied):
            chosen_BK[tied] = _first_of_ties(score_BC[tied], value_BK[tied, k - 1], k)
    order_BK = score_BC.gather(1, chosen_BK).argsort(dim=1, descending=True, stable=True)
    return chosen_BK.gather(1, order_BK)


def _first_of_ties(score_NC: Tensor, threshold_N: Tensor, k: int) -> Tensor:
    """Return the columns [N, k], ascending, of all above the threshold and the first of those equal to it."""
    above_NC = score_NC > threshold_N[:, None]
    equal_NC = score_NC == threshold_N[:, None]
    places_N = k - above_NC.sum(1)
    taken_NC = equal_NC & (equal_NC.cumsum(1, dtype=torch.int32) <= places_N[:, None])
    return torch.nonzero(above_NC | taken_NC)[:, 1].view(-1, k)


def exhaustive_top_k(
    score_block: Callable[[Tensor], Tensor],
    item_A: NDArray[np.int64],
    user_B: NDArray[np.int64],
    owned_BA: sparse.csr_matrix,
    k: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the best k allowed items that each user does not own, and their scores [B, k]; k <= A.

    `score_block` gives scores [B, I]. Where there are fewer than k, the last places hold owned items
    with the score -inf. Scores that are not finite come after all others, as the model gave them.
    """
    score_BA = score_block(torch.from_numpy(user_B)).float().cpu()
    if len(item_A) < score_BA.shape[1]:
        score_BA = score_BA[:, torch.from_numpy(item_A)]
    ranked_BA = mask_owned(score_BA, owned_BA)
    column_BK = stable_top_k(ranked_BA, k)
    is_owned_BK = ranked_BA.gather(1, column_BK) == -torch.inf
    score_BK = score_BA.gather(1, column_BK).masked_fill(is_owned_BK, -torch.inf)
    return item_A[column_BK.numpy()], score_BK.numpy()


def mask_owned(score_BA: Tensor, owned_BA: sparse.csr_matrix) -> Tensor:
    """Return a copy in which owned items have -inf, and nothing else has."""
    if not score_BA.isfinite().all():
        lowest = torch.finfo(score_BA.dtype).min
        score_BA = score_BA.nan_to_num(nan=lowest, posinf=lowest, neginf=lowest)
    rows, columns = (torch.from_numpy(index.astype(np.int64)) for index in owned_BA.nonzero())
    return score_BA.index_put((rows, columns), torch.tensor(-torch.inf))
