"""Numeric columns: validated, tamed, centred, 0 where unknown."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.models.layers.numeric_features import Numbers

NAN = float("nan")


def started(rows: list[list[float]], met: list[bool] | None = None) -> tuple[Numbers, torch.Tensor]:
    number_IN = np.array(rows, np.float32)
    numbers = Numbers(number_IN.shape[1])
    numbers.start(number_IN, np.array(met if met else [True] * len(rows)))
    return numbers, torch.from_numpy(number_IN)


def test_a_column_comes_out_in_deviations_and_what_is_unknown_as_zero() -> None:
    numbers, rows = started([[1.0], [3.0], [NAN], [5.0]])
    found, there = numbers(rows)
    assert torch.allclose(found[:, 0], torch.tensor([-1.2247, 0.0, 0.0, 1.2247]), atol=1e-4)
    assert there.tolist() == [True, True, False, True]


def test_measures_are_those_of_the_items_that_training_met() -> None:
    numbers, rows = started([[1.0], [3.0], [1000.0]], met=[True, True, False])
    found, _ = numbers(rows)
    assert found[:, 0].tolist() == [-1.0, 1.0, 5.0]  # cut off at five deviations


def test_a_long_tail_is_read_by_its_logarithm() -> None:
    counts = [[0.0]] * 20 + [[10.0]] * 20 + [[1e6]]
    numbers, rows = started(counts)
    assert numbers.tailed_N.tolist() == [True]
    found, _ = numbers(rows)
    assert 0.5 < found[20, 0] - found[0, 0] < 2.0  # untamed, 0 and 10 would be alike beside a million


def test_a_column_that_tells_nothing_is_said_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    numbers, rows = started([[1.0, 7.0, NAN], [2.0, 7.0, NAN]])
    found, there = numbers(rows)
    assert found[:, 1:].abs().sum() == 0
    assert there.tolist() == [True, True]
    assert "[1, 2] are unknown or the same for all items" in caplog.text


def test_an_infinite_value_is_an_error() -> None:
    with pytest.raises(JobError, match="numeric column 1 has an infinite value"):
        started([[1.0, 2.0], [2.0, float("inf")]])
