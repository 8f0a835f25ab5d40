"""Maximal marginal relevance (Carbonell and Goldstein 1998): slates that give up some relevance for variety.

Place by place the candidate is taken that is best by (1 - weight) relevance - weight redundancy: relevance is the
model's score, stretched over a user's candidates to 0 and 1; redundancy the greatest cosine to what the slate has.
The paper's lambda is 1 - weight here, so that a weight of 0 leaves a slate as it was.
B users, C candidates, K places, I items, D width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.data.dataset import Bools, Dataset, Floats, Ints
from recsys_jobs.ranking.top_k import Slates

_BLOCK = 256  # users at once: their candidates' vectors are held


def pool(k: int) -> int:
    """Return among how many of a user's best items a slate of K is chosen."""
    return max(100, 5 * k)


def checked(weight: float) -> float:
    """Return a weight; UsageError where it is none."""
    if not 0 <= weight <= 1:
        raise UsageError(f"--diversity {weight:g}: write a weight from 0 (relevance alone) to 1 (variety alone)")
    return weight


def content_vectors(dataset: Dataset) -> Floats:
    """Return vectors whose cosine says how alike items are [I, D]: of texts, or of images where nothing has a text.

    Less their mean, for encoders give all contents one common direction; zeros where an item has none, which is
    like no other. UsageError where no item has any.
    """
    if dataset.text_present_I.any():
        return centred(dataset.text_IT, dataset.text_present_I)
    if dataset.image_present_I.any():
        return centred(dataset.image_IV, dataset.image_present_I)
    raise UsageError("--diversity needs items with texts or images, and none has any: leave it out")


def centred(vector_ID: Floats, present_I: Bools) -> Floats:
    """Return vectors less the mean of those that are present, zeros for the others."""
    if not present_I.any():
        return vector_ID
    mean_D = vector_ID[present_I].mean(0)
    return np.where(present_I[:, None], vector_ID - mean_D, 0).astype(np.float32)


def reranked(blocks: Iterable[Slates], vector_ID: Floats, weight: float, k: int) -> Iterator[Slates]:
    """Yield slates of at most `k` places chosen from longer ones, best first; an item keeps the model's score."""
    unit_ID = vector_ID / np.maximum(np.linalg.norm(vector_ID, axis=1, keepdims=True), 1e-12)
    for slates in blocks:
        for start in range(0, len(slates.user_B), _BLOCK):
            part = slice(start, start + _BLOCK)
            item_BC, score_BC = slates.item_BK[part], slates.score_BK[part]
            place_BK = _chosen(unit_ID[item_BC], _relevance(item_BC, score_BC), item_BC >= 0, weight, k)
            item_BK, score_BK = np.take_along_axis(item_BC, place_BK, 1), np.take_along_axis(score_BC, place_BK, 1)
            yield Slates(slates.user_B[part], item_BK, score_BK, np.minimum(slates.count_B[part], k))


def _relevance(item_BC: Ints, score_BC: Floats) -> Floats:
    """Return scores between 0 and 1, each user's candidates by themselves; 0 for what is no finite number."""
    known_BC = (item_BC >= 0) & np.isfinite(score_BC)
    low_B1 = np.where(known_BC, score_BC, np.inf).min(1, keepdims=True)
    high_B1 = np.where(known_BC, score_BC, -np.inf).max(1, keepdims=True)
    spread_B1 = np.where(high_B1 > low_B1, high_B1 - low_B1, 1)
    return np.where(known_BC, (np.where(known_BC, score_BC, 0) - low_B1) / spread_B1, 0)


def _chosen(vector_BCD: Floats, relevance_BC: Floats, there_BC: Bools, weight: float, k: int) -> Ints:
    """Return which candidate stands at each place [B, K]; of equal ones the better ranked, empty ones last."""
    users, candidates = relevance_BC.shape
    row_B = np.arange(users)
    left_BC, redundancy_BC = there_BC.copy(), np.zeros_like(relevance_BC)
    free_BC = np.ones_like(there_BC)
    place_BK = np.empty((users, min(k, candidates)), np.int64)
    for place in range(place_BK.shape[1]):
        value_BC = (1 - weight) * relevance_BC - weight * redundancy_BC
        best_B = np.where(left_BC, value_BC, np.where(free_BC, -1e9, -np.inf)).argmax(1)
        place_BK[:, place] = best_B
        left_BC[row_B, best_B] = free_BC[row_B, best_B] = False
        cosine_BC = np.einsum("bcd,bd->bc", vector_BCD, vector_BCD[row_B, best_B])
        redundancy_BC = cosine_BC if place == 0 else np.maximum(redundancy_BC, cosine_BC)
    return place_BK
