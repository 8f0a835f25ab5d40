"""The bootstrap: hand examples, pairing, seeds, blocks, and intervals that cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from recsys_jobs.evaluation import bootstrap
from recsys_jobs.evaluation.bootstrap import mean_interval, mean_intervals, paired_difference


def test_values_that_are_all_alike_leave_no_doubt() -> None:
    found = mean_interval(np.full(7, 0.25))
    assert (found.value, found.low, found.high, found.users) == (0.25, 0.25, 0.25, 7)


def test_two_users_have_the_three_means_that_two_draws_can_give() -> None:
    means = bootstrap.resampled_means(np.array([[0.0], [1.0]]), seed=0, resamples=4_000).ravel()
    values, counts = np.unique(means, return_counts=True)
    assert values.tolist() == [0.0, 0.5, 1.0]
    assert counts / 4_000 == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def test_a_constant_gain_is_certain_though_each_model_is_not() -> None:
    """Paired: both models are hard on the same users, and the difference knows it."""
    one = np.random.default_rng(0).random(50)
    difference = paired_difference(one + 0.01, one)
    assert difference.low == pytest.approx(0.01)
    assert difference.high == pytest.approx(0.01)
    assert mean_interval(one).high - mean_interval(one).low > 0.1


def test_a_difference_of_other_users_is_refused() -> None:
    with pytest.raises(ValueError, match="same users"):
        paired_difference(np.zeros(3), np.zeros(4))


def test_the_seed_decides_the_resamples() -> None:
    values = np.random.default_rng(1).random(40)
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3)
    assert mean_interval(values, seed=3) != mean_interval(values, seed=4)


def test_columns_share_the_resamples_of_a_single_one() -> None:
    values = np.random.default_rng(2).random((40, 3))
    together = mean_intervals(values, resamples=500)
    assert together[1].low == pytest.approx(mean_interval(values[:, 1], resamples=500).low)


def test_every_resample_draws_as_many_users_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the resamples do not fit into one block: 10 draws at a time, 4 users, 5 resamples."""
    monkeypatch.setattr(bootstrap, "_DRAWS", 10)
    means = bootstrap.resampled_means(np.ones((4, 1)), seed=0, resamples=5)
    assert means.tolist() == [[1.0]] * 5


def test_nobody_has_no_mean() -> None:
    found = mean_interval(np.zeros(0))
    assert found.users == 0
    assert np.isnan([found.value, found.low, found.high]).all()


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """200 samples of 100 users whose true mean is 0.3: 95 % of the intervals should hold it."""
    random = np.random.default_rng(5)
    samples = (random.random((100, 200)) < 0.3).astype(np.float64)
    held = [found.low <= 0.3 <= found.high for found in mean_intervals(samples, resamples=1_000)]
    assert 0.88 <= np.mean(held) <= 0.99
