"""The losses against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from recsys_jobs.torch_common.losses import bpr, held_out_softmax, sampled_softmax


def test_bpr_is_minus_the_log_of_sigma_of_the_margin() -> None:
    found = bpr(torch.tensor([1.0, 0.0]))
    assert float(found) == pytest.approx((math.log(1 + math.exp(-1)) + math.log(2)) / 2)


def test_with_every_item_as_candidate_it_is_the_full_softmax() -> None:
    score_BI = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    target_B = torch.tensor([0, 3, 6, 3, 1])
    itself_BI = torch.arange(7) == target_B[:, None]
    found = sampled_softmax(score_BI[itself_BI], score_BI, itself_BI, pool=7)
    assert float(found) == pytest.approx(float(functional.cross_entropy(score_BI, target_B)))


def test_a_candidate_stands_for_its_share_of_the_pool() -> None:
    """One positive of score 0 and 2 candidates of score 0 out of a pool of 10: each counts five times."""
    excluded = torch.tensor([[False, False], [True, False]])
    found = sampled_softmax(torch.zeros(2), torch.zeros(2, 2), excluded, pool=10)
    assert float(found) == pytest.approx((math.log(1 + 2 * 5) + math.log(1 + 5)) / 2)


def test_targets_of_a_user_share_the_softmax_over_all_that_is_not_history() -> None:
    """Scores 0: user 0 has 2 targets and 3 items left, each counts 1 / sqrt(2); user 1 has 1 target and 4."""
    history = torch.tensor([[True, False, False, False], [False] * 4])
    row, item = torch.tensor([0, 0, 1]), torch.tensor([1, 2, 0])
    found = held_out_softmax(torch.zeros(2, 4), row, item, history)
    assert float(found) == pytest.approx((2 * math.log(3) / math.sqrt(2) + math.log(4)) / 2)
