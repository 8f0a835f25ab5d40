"""Metrics of ranked slates: one value a user, averaging is the caller's. Pure numpy.

U users, I items, K slate positions, T targets (held-out pairs), B block of users, D width.
A slate has item indices, best first, and -1 where it is shorter than K.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Values = NDArray[np.float64]


def hits(slate_UK: Ints, target_row_T: Ints, target_item_T: Ints, items: int) -> Bools:
    """Return where a slate shows one of its user's targets [U, K]; `target_row_T` is the slate's row."""
    key_T = target_row_T * items + target_item_T
    key_UK = np.arange(len(slate_UK))[:, None] * items + slate_UK
    return np.isin(key_UK, key_T) & (slate_UK >= 0)


def precision(hit_UK: Bools, targets_U: Ints, k: int) -> Values:
    """Share of the K places that show a target."""
    return hit_UK[:, :k].sum(1) / k


def recall(hit_UK: Bools, targets_U: Ints, k: int) -> Values:
    """Share of the targets that are shown."""
    return hit_UK[:, :k].sum(1) / targets_U


def f1(hit_UK: Bools, targets_U: Ints, k: int) -> Values:
    """Harmonic mean of precision and recall; 0 where both are."""
    return 2 * hit_UK[:, :k].sum(1) / (k + targets_U)


def hit_rate(hit_UK: Bools, targets_U: Ints, k: int) -> Values:
    """1 where any target is shown."""
    return np.asarray(hit_UK[:, :k].any(1), dtype=np.float64)


def ndcg(hit_UK: Bools, targets_U: Ints, k: int) -> Values:
    """Binary gain discounted by log2(rank + 1), over that of the best slate, min(K, targets) hits on top."""
    discount_K = 1 / np.log2(np.arange(2, k + 2))
    gain_U = hit_UK[:, :k] @ discount_K[: hit_UK.shape[1]]
    ideal_K = np.concatenate([[0.0], np.cumsum(discount_K)])
    return np.asarray(gain_U / ideal_K[np.minimum(targets_U, k)])


def mrr(hit_UK: Bools, targets_U: Ints, k: int) -> Values:
    """1 / rank of the first target shown; 0 where none is."""
    first_U = hit_UK[:, :k].argmax(1)
    return np.where(hit_UK[:, :k].any(1), 1 / (first_U + 1), 0.0)


def average_precision(hit_UK: Bools, targets_U: Ints, k: int) -> Values:
    """Mean of the precision at each hit's rank, over min(K, targets): MAP at K before the mean."""
    shown_UK = hit_UK[:, :k]
    precision_UK = shown_UK.cumsum(1) / np.arange(1, shown_UK.shape[1] + 1)
    return (precision_UK * shown_UK).sum(1) / np.minimum(targets_U, k)


# name -> function of (hits [U, K], targets of each user [U], at least 1, and K); values [U]
PER_USER: dict[str, Callable[[Bools, Ints, int], Values]] = {
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "hit_rate": hit_rate,
    "ndcg": ndcg,
    "mrr": mrr,
    "map": average_precision,
}


def novelty(slate_UK: Ints, owners_I: Ints, users: int) -> Values:
    """Mean over each slate of -log2 of the share of users who have the item, in bits; NaN for an empty slate.

    An item that nobody has counts as if one user had it.
    """
    surprise_I = -np.log2(np.maximum(owners_I, 1) / users)
    shown_UK = slate_UK >= 0
    total_U = (surprise_I[slate_UK] * shown_UK).sum(1)
    return _ratio(total_U, shown_UK.sum(1))


def diversity(slate_UK: Ints, vector_ID: NDArray[np.float32], block: int = 4096) -> Values:
    """1 - mean cosine over the pairs of each slate's items that have a vector; NaN where there is no pair.

    A zero row of `vector_ID` means that the item has none. With unit vectors the sum of all cosines
    is the squared length of their sum, so no pair is ever formed.
    """
    length_I = np.linalg.norm(vector_ID, axis=1)
    unit_ID = vector_ID / np.maximum(length_I, 1e-12)[:, None]
    result_U = np.empty(len(slate_UK))
    for start in range(0, len(slate_UK), block):
        slate_BK = slate_UK[start : start + block]
        counted_BK = (slate_BK >= 0) & (length_I[slate_BK] > 0)
        sum_BD = (unit_ID[slate_BK] * counted_BK[:, :, None]).sum(1, dtype=np.float64)
        count_B = counted_BK.sum(1)
        cosines_B = (sum_BD**2).sum(1) - count_B
        cosine_B = _ratio(cosines_B, count_B * (count_B - 1))
        result_U[start : start + block] = 1 - cosine_B
    return result_U


def coverage(slate_UK: Ints, items: int) -> float:
    """Share of the eligible items that some slate shows."""
    return float((shown_counts(slate_UK, items) > 0).mean())


def gini(slate_UK: Ints, items: int) -> float:
    """How unevenly the eligible items are shown: 0 all alike, towards 1 a few items everywhere; NaN if none is."""
    count_I = np.sort(shown_counts(slate_UK, items))
    if count_I.sum() == 0:
        return float("nan")
    weight_I = 2 * np.arange(1, items + 1) - items - 1
    return float((weight_I * count_I).sum() / (items * count_I.sum()))


def shown_counts(slate_UK: Ints, items: int) -> Ints:
    """Return how many slates show each item [I]."""
    return np.bincount(slate_UK[slate_UK >= 0], minlength=items)


def rmse(predicted: Values, actual: Values) -> float:
    """Root of the mean squared error, in stars."""
    return float(np.sqrt(np.mean((predicted - actual) ** 2)))


def mae(predicted: Values, actual: Values) -> float:
    """Mean absolute error, in stars."""
    return float(np.mean(np.abs(predicted - actual)))


def _ratio(total_U: Values, count_U: Ints) -> Values:
    """total / count, NaN where there is nothing to count."""
    return np.where(count_U > 0, total_U / np.maximum(count_U, 1), np.nan)
