"""The task `ranking`: the ranks of a user's targets in the whole order, without a cut at K.

Ranks start at 1; of equal scores the smaller item comes first, as in slates. A metric without a cut has k = 0.
U evaluated users, I items, T targets, B block of users, C candidates (items, or the sampled ones),
N targets of a block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.bootstrap import Values
from recsys_jobs.evaluation.sampled_negatives import Negatives, candidate_scores, draw_candidates
from recsys_jobs.evaluation.slices import slices
from recsys_jobs.evaluation.top_k_evaluation import MetricRow, holdout_targets, mean_rows
from recsys_jobs.ranking.model import Model
from recsys_jobs.ranking.stable_top_k import mask_owned
from recsys_jobs.ranking.top_k import masked_pairs

_SCORES = 16_000_000  # held at once: 64 MB of float32


def evaluate_full_ranking(
    model: Model,
    dataset: Dataset,
    holdout: Holdout,
    *,
    seed: int = 0,
    hidden_UI: sparse.csr_matrix | None = None,
    negatives: Negatives | None = None,
) -> list[MetricRow]:
    """Measure the ranks of the holdout's pairs among all that the user does not own, or among sampled negatives."""
    user_T, item_T = holdout_targets(dataset, holdout)
    user_U, row_T = np.unique(user_T, return_inverse=True)
    if negatives is None:
        blocks = _all_scores(model, dataset, user_U, hidden_UI)
    else:
        candidate_UC = draw_candidates(dataset, user_U, row_T, item_T, hidden_UI, negatives)
        blocks = candidate_scores(model, user_U, candidate_UC, len(dataset.items))
    rank_T, candidates_U = _ranks(blocks, row_T, item_T, len(user_U))
    rows = []
    for name, chosen_T in slices(dataset, user_T, item_T).items():
        slice_users, slice_row_T = np.unique(row_T[chosen_T], return_inverse=True)
        values = rank_metrics(slice_row_T, rank_T[chosen_T], candidates_U[slice_users])
        rows += mean_rows(name, {(metric, 0): value_U for metric, value_U in values.items()}, seed)
    return rows


def rank_metrics(row_T: Ints, rank_T: Ints, candidates_U: Ints) -> dict[str, Values]:
    """Return each metric of the users [U]; `row_T` is the target's user, each of whom has a target.

    auc: how often a target stands above a candidate that is none, 1 where there is no such candidate;
    mean_rank: of the targets; mrr, map, ndcg: as with K, over the whole order.
    """
    order = np.lexsort((rank_T, row_T))
    row_T, rank_T = row_T[order], rank_T[order]
    place_T = np.arange(len(row_T)) - np.searchsorted(row_T, row_T) + 1  # among the user's own targets
    targets_U = np.bincount(row_T)

    def mean(value_T: np.ndarray) -> Values:
        return np.bincount(row_T, value_T) / targets_U

    others_U = candidates_U - targets_U
    above_U = mean(rank_T - place_T)  # candidates above a target that are none
    first_T = place_T == 1
    ideal_U = np.bincount(row_T, 1 / np.log2(place_T + 1))
    return {
        "auc": np.where(others_U > 0, 1 - above_U / np.maximum(others_U, 1), 1.0),
        "mean_rank": mean(rank_T),
        "mrr": np.bincount(row_T, first_T / rank_T),
        "map": mean(place_T / rank_T),
        "ndcg": np.bincount(row_T, 1 / np.log2(rank_T + 1)) / ideal_U,
    }


def _all_scores(
    model: Model, dataset: Dataset, user_U: Ints, hidden_UI: sparse.csr_matrix | None
) -> Iterator[tuple[Ints, Ints, Tensor]]:
    """Yield users, items and scores [B, I]; -inf for what the user has."""
    masked_UI = masked_pairs(dataset, hidden_UI)
    items = len(dataset.items)
    block = max(1, _SCORES // items)
    for start in range(0, len(user_U), block):
        user_B = user_U[start : start + block]
        score_BI = model.score_block(torch.from_numpy(user_B)).float().cpu()
        score_BI = mask_owned(score_BI, masked_UI[user_B])
        yield user_B, np.broadcast_to(np.arange(items), score_BI.shape), score_BI


def _ranks(blocks: Iterator[tuple[Ints, Ints, Tensor]], row_T: Ints, item_T: Ints, users: int) -> tuple[Ints, Ints]:
    """Return the rank of each target, and how many candidates each user has; targets come by user."""
    rank_T = np.empty(len(row_T), np.int64)
    candidates_U = np.empty(users, np.int64)
    row = 0
    for user_B, candidate_BC, score_BC in blocks:
        lowest = torch.finfo(score_BC.dtype).min
        score_BC = score_BC.nan_to_num(nan=lowest, neginf=-torch.inf)
        candidates_U[row : row + len(user_B)] = (score_BC > -torch.inf).sum(1).numpy()
        first, last = np.searchsorted(row_T, (row, row + len(user_B)))
        step = max(1, _SCORES // score_BC.shape[1])
        for start in range(first, last, step):
            part = slice(start, min(start + step, last))
            rank_T[part] = _rank(score_BC, candidate_BC, row_T[part] - row, item_T[part])
        row += len(user_B)
    return rank_T, candidates_U


def _rank(score_BC: Tensor, candidate_BC: Ints, row_N: Ints, item_N: Ints) -> Ints:
    """Return the ranks of these targets; candidates ascend, so that the column says which item is smaller."""
    column_N = torch.from_numpy((candidate_BC[row_N] == item_N[:, None]).argmax(1))
    score_NC = score_BC[torch.from_numpy(row_N)]
    own_N1 = score_NC.gather(1, column_N[:, None])
    before_NC = torch.arange(score_NC.shape[1]) < column_N[:, None]
    above_NC = (score_NC > own_N1) | ((score_NC == own_N1) & before_NC)
    return above_NC.sum(1).numpy() + 1
