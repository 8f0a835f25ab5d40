"""Maximal marginal relevance (Carbonell and Goldstein 1998): slates that give up some relevance for variety.

Place by place the candidate is taken that is best by (1 - weight) relevance - weight redundancy: relevance is the
model's score, stretched over a user's candidates to 0 and 1; redundancy the greatest cosine to what the slate has.
The paper's lambda is 1 - weight here, so that a weight of 0 leaves a slate as it was.
B users, C candidates, K places, I items, D width, T of a text, V of an image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.data.dataset import Bools, Dataset, Floats, Ints
from recsys_jobs.ranking.top_k import Slates

_BLOCK = 256  # users at once: their candidates' vectors are held


def candidate_count(k: int) -> int:
    """Return how many of a user's best items a slate of K is chosen from."""
    return max(100, 5 * k)


def check_weight(weight: float) -> float:
    """Return the weight; UsageError where it is not between 0 and 1."""
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


def rerank(blocks: Iterable[Slates], vector_ID: Floats, weight: float, k: int) -> Iterator[Slates]:
    """Yield slates of at most `k` places chosen from longer ones, best first; an item keeps the model's score."""
    unit_ID = vector_ID / np.maximum(np.linalg.norm(vector_ID, axis=1, keepdims=True), 1e-12)
    for slates in blocks:
        for start in range(0, len(slates.user_B), _BLOCK):
            part = slice(start, start + _BLOCK)
            item_BC, score_BC = slates.item_BK[part], slates.score_BK[part]
            relevance_BC = _relevance(item_BC, score_BC)
            place_BK = _select_places(unit_ID[item_BC], relevance_BC, item_BC >= 0, weight, k)
            item_BK = np.take_along_axis(item_BC, place_BK, 1)
            score_BK = np.take_along_axis(score_BC, place_BK, 1)
            yield Slates(slates.user_B[part], item_BK, score_BK, np.minimum(slates.count_B[part], k))


def _relevance(item_BC: Ints, score_BC: Floats) -> Floats:
    """Return scores between 0 and 1, each user's candidates by themselves; 0 for what is no finite number."""
    known_BC = (item_BC >= 0) & np.isfinite(score_BC)
    low_B1 = np.where(known_BC, score_BC, np.inf).min(1, keepdims=True)
    high_B1 = np.where(known_BC, score_BC, -np.inf).max(1, keepdims=True)
    range_B1 = np.where(high_B1 > low_B1, high_B1 - low_B1, 1)
    finite_BC = np.where(known_BC, score_BC, 0)
    return np.where(known_BC, (finite_BC - low_B1) / range_B1, 0)


def _select_places(vector_BCD: Floats, relevance_BC: Floats, present_BC: Bools, weight: float, k: int) -> Ints:
    """Return which candidate stands at each place [B, K]; of equal ones the better ranked, empty ones last."""
    users, candidates = relevance_BC.shape
    row_B = np.arange(users)
    open_BC = present_BC.copy()  # candidates that have no place yet
    free_BC = np.ones_like(present_BC)  # those, and the empty ones after them
    redundancy_BC = np.zeros_like(relevance_BC)
    place_BK = np.empty((users, min(k, candidates)), np.int64)
    for place in range(place_BK.shape[1]):
        value_BC = (1 - weight) * relevance_BC - weight * redundancy_BC
        otherwise_BC = np.where(free_BC, -1e9, -np.inf)
        best_B = np.where(open_BC, value_BC, otherwise_BC).argmax(1)
        place_BK[:, place] = best_B
        open_BC[row_B, best_B] = free_BC[row_B, best_B] = False
        cosine_BC = np.einsum("bcd,bd->bc", vector_BCD, vector_BCD[row_B, best_B])
        redundancy_BC = cosine_BC if place == 0 else np.maximum(redundancy_BC, cosine_BC)
    return place_BK
