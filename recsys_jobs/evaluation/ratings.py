"""RMSE and MAE of predicted stars, with intervals by the bootstrap over users.

U users, T rated pairs, R resamples.
"""

from __future__ import annotations

import numpy as np
import torch

from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.bootstrap import resampled_means
from recsys_jobs.evaluation.metrics import mae, rmse
from recsys_jobs.evaluation.top_k_evaluation import MetricRow
from recsys_jobs.ranking.model import Model, Rater

_RESAMPLES = 2_000


def examine_ratings(model: Model, holdout: Holdout, *, seed: int = 0) -> list[MetricRow]:
    """Return rows `rmse` and `mae` (k = 0) over the holdout's rated pairs; none where the model gives no stars.

    Each rating counts alike, so a user counts by its ratings; a resample of users has their sums of errors.
    """
    if not isinstance(model, Rater) or holdout.rating_T is None or np.isnan(holdout.rating_T).all():
        return []
    rated_T = ~np.isnan(holdout.rating_T)
    user_T, item_T = holdout.user_T[rated_T], holdout.item_T[rated_T]
    actual_T = holdout.rating_T[rated_T].astype(np.float64)
    predicted_T = model.predict_ratings(torch.from_numpy(user_T), torch.from_numpy(item_T)).double().cpu().numpy()
    _, row_T = np.unique(user_T, return_inverse=True)
    sums_U3 = np.stack([np.bincount(row_T, x).astype(np.float64) for x in _per_rating(predicted_T - actual_T)], axis=1)
    square_R, absolute_R, count_R = resampled_means(sums_U3, seed=seed, resamples=_RESAMPLES).T
    found = {"rmse": (rmse, np.sqrt(square_R / count_R)), "mae": (mae, absolute_R / count_R)}
    rows = []
    for name, (metric, value_R) in found.items():
        low, high = np.quantile(value_R, (0.025, 0.975)).tolist()
        rows.append(MetricRow("all", name, 0, metric(predicted_T, actual_T), low, high, len(sums_U3)))
    return rows


def _per_rating(error_T: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return error_T**2, np.abs(error_T), np.ones_like(error_T)
