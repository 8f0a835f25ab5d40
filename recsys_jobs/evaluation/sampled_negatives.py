"""Targets among sampled negatives, as older papers measure: a named option, because it flatters.

A target ranked among a hundred others instead of all of them gives figures several times as
high, and may even order two models the other way round (Krichene and Rendle 2020, On Sampled Metrics
for Item Recommendation). All models of one exam get the same candidates.

U evaluated users, T targets, I items, B block of users, C candidates, K places, E events,
N candidates of a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.histories import pair_matrix
from recsys_jobs.ranking.model import Model
from recsys_jobs.ranking.stable_top_k import stable_top_k
from recsys_jobs.ranking.top_k import Slates, masked_pairs

_KEYS = 8_000_000  # random keys, or scores, held at once: 64 MB


@dataclass(frozen=True)
class Negatives:
    """How many negatives a user gets: each equally likely (`random`), or by how many users had it (`popularity`)."""

    count: int
    strategy: str
    seed: int = 0


def draw_candidates(
    dataset: Dataset, user_U: Ints, row_T: Ints, item_T: Ints, hidden_UI: sparse.csr_matrix | None, negatives: Negatives
) -> Ints:
    """Return each user's candidates [U, C], ascending, -1 behind them: its targets, and negatives without repetition.

    `row_T` is the target's row of `user_U`. What the user had or `hidden_UI` masks is no negative; there
    are fewer than `negatives.count` where no more are left, by popularity only items that somebody had.
    """
    random = np.random.default_rng(negatives.seed)
    items = len(dataset.items)
    weight_I = np.ones(items)
    if negatives.strategy == "popularity":
        weight_I = np.bincount(dataset.event_item_E, minlength=items).astype(float)
    masked_UI = masked_pairs(dataset, hidden_UI)[user_U]
    target_UI = pair_matrix(row_T, item_T, masked_UI.shape, np.bool_)
    most = int(np.bincount(row_T, minlength=1).max()) + negatives.count
    candidate_UC = np.full((len(user_U), most), items)
    block = max(1, _KEYS // items)
    for start in range(0, len(user_U), block):
        rows = slice(start, start + block)
        is_candidate_BI = _sample_items(weight_I, masked_UI[rows], target_UI[rows], negatives.count, random)
        row_N, item_N = np.nonzero(is_candidate_BI)
        column_N = np.arange(len(row_N)) - np.searchsorted(row_N, row_N)
        candidate_UC[start + row_N, column_N] = item_N
    return np.where(candidate_UC < items, candidate_UC, -1)


def _sample_items(
    weight_I: np.ndarray,
    masked_BI: sparse.csr_matrix,
    target_BI: sparse.csr_matrix,
    count: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Return which items [B, I] are candidates.

    The smallest of exponential keys over weights are a sample without repetition (Efraimidis and Spirakis 2006).
    """
    with np.errstate(divide="ignore"):
        key_BI = random.standard_exponential(masked_BI.shape) / weight_I
    key_BI[masked_BI.nonzero()] = np.inf
    key_BI[target_BI.nonzero()] = np.inf
    count = min(count, key_BI.shape[1])
    last_B1 = np.partition(key_BI, count - 1, axis=1)[:, count - 1 : count]
    is_candidate_BI = (key_BI <= last_B1) & np.isfinite(key_BI)
    is_candidate_BI[target_BI.nonzero()] = True
    return is_candidate_BI


def sampled_slates(model: Model, user_U: Ints, candidate_UC: Ints, items: int, k: int) -> Iterator[Slates]:
    """Yield each user's best k candidates, of equal scores the smaller item, as `top_k` yields the best of all."""
    for user_B, candidate_BC, score_BC in candidate_scores(model, user_U, candidate_UC, items):
        ranked_BC = torch.where(score_BC.isnan(), torch.finfo(score_BC.dtype).min, score_BC)
        column_BK = stable_top_k(ranked_BC, min(k, score_BC.shape[1]))
        item_BK = np.take_along_axis(candidate_BC, column_BK.numpy(), axis=1)
        score_BK = score_BC.gather(1, column_BK).numpy()
        yield Slates(user_B, item_BK, score_BK, (item_BK >= 0).sum(1))


def candidate_scores(model: Model, user_U: Ints, candidate_UC: Ints, items: int) -> Iterator[tuple[Ints, Ints, Tensor]]:
    """Yield users, candidates and their scores [B, C], block by block; -inf where there is no candidate."""
    block = max(1, _KEYS // items)
    for start in range(0, len(user_U), block):
        user_B = user_U[start : start + block]
        candidate_BC = candidate_UC[start : start + block]
        score_BI = model.score_block(torch.from_numpy(user_B)).float().cpu()
        score_BC = score_BI.gather(1, torch.from_numpy(candidate_BC.clip(min=0)))
        yield user_B, candidate_BC, score_BC.masked_fill(torch.from_numpy(candidate_BC < 0), -torch.inf)
