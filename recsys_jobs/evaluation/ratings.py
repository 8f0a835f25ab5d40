"""RMSE and MAE of predicted stars, with intervals by the bootstrap over users.

U users, T rated pairs, R resamples; 3 sums of errors: squared, absolute, ones.
"""

from __future__ import annotations

import numpy as np
import torch

from recsys_jobs.data.dataset import Ints
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.bootstrap import Values, resampled_means
from recsys_jobs.evaluation.metrics import mae, rmse
from recsys_jobs.evaluation.top_k_evaluation import MetricRow
from recsys_jobs.ranking.model import Model, Rater

_RESAMPLES = 2_000


def evaluate_ratings(model: Model, holdout: Holdout, *, seed: int = 0) -> list[MetricRow]:
    """Return rows `rmse` and `mae` (k = 0) over the holdout's rated pairs; none where the model gives no stars.

    Each rating counts alike, so a user counts by its ratings; a resample of users has their sums of errors.
    """
    if not isinstance(model, Rater) or holdout.rating_T is None or np.isnan(holdout.rating_T).all():
        return []
    rated_T = ~np.isnan(holdout.rating_T)
    user_T, item_T = holdout.user_T[rated_T], holdout.item_T[rated_T]
    actual_T = holdout.rating_T[rated_T].astype(np.float64)
    stars_T = model.predict_ratings(torch.from_numpy(user_T), torch.from_numpy(item_T))
    predicted_T = stars_T.double().cpu().numpy()
    sums_U3 = _error_sums(user_T, predicted_T - actual_T)
    square_R, absolute_R, count_R = resampled_means(sums_U3, seed=seed, resamples=_RESAMPLES).T
    resampled = {"rmse": (rmse, np.sqrt(square_R / count_R)), "mae": (mae, absolute_R / count_R)}
    rows = []
    for name, (metric, value_R) in resampled.items():
        low, high = np.quantile(value_R, (0.025, 0.975)).tolist()
        value = metric(predicted_T, actual_T)
        rows.append(MetricRow("all", name, 0, value, low, high, len(sums_U3)))
    return rows


def _error_sums(user_T: Ints, error_T: Values) -> Values:
    """Return each user's sums of squared errors, of absolute errors, and of ones [U, 3]."""
    _, row_T = np.unique(user_T, return_inverse=True)
    terms = error_T**2, np.abs(error_T), np.ones_like(error_T)
    return np.stack([np.bincount(row_T, term_T).astype(np.float64) for term_T in terms], axis=1)
