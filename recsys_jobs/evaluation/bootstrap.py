"""Intervals by the seeded bootstrap over users (Efron 1979, percentile form). Pure numpy.

Each resample draws as many users as there are, with repetition; the same seed and number of users
draw the same resamples, so that two models evaluated on the same users are compared pair by pair.
U users, M metrics, R resamples, C users drawn in one go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_DRAWS = 4_000_000  # user draws held at once: 32 MB, as much again for their counts


@dataclass(frozen=True)
class Interval:
    """A mean over `users` and its interval (95 % unless asked otherwise); NaN throughout over nobody."""

    value: float
    low: float
    high: float
    users: int


def mean_intervals(values_UM: Values, *, seed: int = 0, resamples: int = 2_000, level: float = 0.95) -> list[Interval]:
    """Return the mean of each column and its interval; all columns share the resamples."""
    users, metrics = values_UM.shape
    if users == 0:
        return [Interval(float("nan"), float("nan"), float("nan"), 0)] * metrics
    means_RM = resampled_means(values_UM, seed=seed, resamples=resamples)
    tail = (1 - level) / 2
    low_M, high_M = np.quantile(means_RM, [tail, 1 - tail], axis=0)
    mean_M = [float(values_UM[:, metric].mean()) for metric in range(metrics)]
    return [
        Interval(mean, float(low), float(high), users) for mean, low, high in zip(mean_M, low_M, high_M, strict=True)
    ]


def mean_interval(values_U: Values, *, seed: int = 0, resamples: int = 2_000, level: float = 0.95) -> Interval:
    """Return the mean of one value per user and its interval."""
    return mean_intervals(values_U[:, None], seed=seed, resamples=resamples, level=level)[0]


def paired_difference(
    first_U: Values, second_U: Values, *, seed: int = 0, resamples: int = 2_000, level: float = 0.95
) -> Interval:
    """Return the mean of first - second and its interval; both have the same users in the same order."""
    if first_U.shape != second_U.shape:
        raise ValueError(f"a paired difference needs the same users: {first_U.shape} against {second_U.shape}")
    return mean_interval(first_U - second_U, seed=seed, resamples=resamples, level=level)


def resampled_means(values_UM: Values, *, seed: int, resamples: int) -> Values:
    """Return the means [R, M] over each resample of the users.

    A resample is how often each user was drawn, so its means are one row of counts @ values; drawing
    in blocks of resamples bounds the memory whatever the number of users.
    """
    users = len(values_UM)
    generator = np.random.default_rng(seed)
    block = max(1, _DRAWS // users)
    parts = []
    for start in range(0, resamples, block):
        count_CU = _draw(generator, min(block, resamples - start), users)
        parts.append(count_CU @ values_UM / users)
    return np.concatenate(parts)


def _draw(generator: np.random.Generator, resamples: int, users: int) -> Values:
    """Return how often each resample drew each user: multinomial counts [C, U]."""
    drawn_CU = generator.integers(0, users, (resamples, users))
    drawn_CU += np.arange(resamples)[:, None] * users
    counts = np.bincount(drawn_CU.ravel(), minlength=resamples * users)
    return counts.reshape(resamples, users).astype(np.float64)
