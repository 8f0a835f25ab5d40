"""RMSE and MAE of models that give stars."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.ratings import evaluate_ratings
from tests.unit.test_ranking import Table


class Stars(Table):
    """Scores are stars."""

    def predict_ratings(self, user_N: Tensor, item_N: Tensor) -> Tensor:
        return self.score_UI[user_N, item_N]


STARS = Stars(torch.tensor([[4.0, 3.0, 5.0], [2.0, 1.0, 1.0]]))


def held(*ratings: float) -> Holdout:
    """User 0's items 0 and 1, user 1's item 0."""
    return Holdout(np.array([0, 0, 1]), np.array([0, 1, 0]), rating_T=np.array(ratings, np.float32))


def test_errors_are_over_ratings_and_unknown_ones_do_not_count() -> None:
    """Errors 4 - 5, 3 - 3, 2 - 4."""
    rmse, mae = evaluate_ratings(STARS, held(5, 3, 4))
    assert (rmse.metric, rmse.k, rmse.users) == ("rmse", 0, 2)
    assert rmse.value == pytest.approx((5 / 3) ** 0.5)
    assert mae.value == pytest.approx(1.0)
    assert [row.value for row in evaluate_ratings(STARS, held(5, 3, np.nan))] == pytest.approx([0.5**0.5, 0.5])


def test_intervals_are_over_users() -> None:
    """Of two users a resample has either alone, or both: user 0 has errors 1 and 0, user 1 an error of 2."""
    rmse, mae = evaluate_ratings(STARS, held(5, 3, 4))
    assert (rmse.low, rmse.high) == pytest.approx((0.5**0.5, 2.0))
    assert (mae.low, mae.high) == pytest.approx((0.5, 2.0))


def test_nothing_without_stars_on_either_side() -> None:
    assert evaluate_ratings(Table(STARS.score_UI), held(5, 3, 4)) == []
    assert evaluate_ratings(STARS, held(np.nan, np.nan, np.nan)) == []
    assert evaluate_ratings(STARS, Holdout(np.array([0]), np.array([0]))) == []
