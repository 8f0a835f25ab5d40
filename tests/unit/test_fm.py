"""The factorization machine and its fold, against the plain double sum."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recsys_jobs.models.sage_fm.factorization_machine import FactorizationMachine


def machine(seed: int, width: int, rank: int) -> FactorizationMachine:
    """Return a machine of float64 whose every parameter is random."""
    fm = FactorizationMachine(width, rank).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in fm.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return fm


def double_sum(fm: FactorizationMachine, user_D: Tensor, item_D: Tensor) -> float:
    """Return w0 + sum_j w_j x_j + sum_{j<k} <v_j, v_k> x_j x_k, term by term."""
    x = torch.cat([user_D, item_D]).tolist()
    w = torch.cat([fm.user_linear_D, fm.item_linear_D]).tolist()
    v = torch.cat([fm.user_factors_DF, fm.item_factors_DF]).detach().numpy()
    total = fm.bias.item()
    for j in range(len(x)):
        total += w[j] * x[j]
        for k in range(j + 1, len(x)):
            total += float(np.dot(v[j], v[k])) * x[j] * x[k]
    return total


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
def test_scores_are_the_double_sum(seed: int, width: int, rank: int, users: int, items: int) -> None:
    fm = machine(seed, width, rank)
    generator = torch.Generator().manual_seed(seed + 1)
    user_UD = torch.randn(users, width, generator=generator, dtype=torch.float64)
    item_ID = torch.randn(items, width, generator=generator, dtype=torch.float64)
    scores_UI = fm.all_pairs(user_UD, item_ID)
    for u in range(users):
        for i in range(items):
            expected = double_sum(fm, user_UD[u], item_ID[i])
            assert abs(scores_UI[u, i].item() - expected) < 1e-9 * max(1.0, abs(expected))
            assert abs(fm(user_UD[u : u + 1], item_ID[i : i + 1]).item() - expected) < 1e-9 * max(1.0, abs(expected))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 5), st.integers(1, 4), st.integers(2, 6))
def test_fold_differs_by_a_constant_per_user(seed: int, width: int, rank: int, users: int, items: int) -> None:
    fm = machine(seed, width, rank)
    generator = torch.Generator().manual_seed(seed + 1)
    user_UD = torch.randn(users, width, generator=generator, dtype=torch.float64)
    item_ID = torch.randn(items, width, generator=generator, dtype=torch.float64)
    folded = fm.fold(user_UD, item_ID)
    scores_UI = fm.all_pairs(user_UD, item_ID)
    dropped_UI = scores_UI - folded.user_UF @ folded.item_IF.T
    assert folded.user_UF.shape == (users, rank + 1)
    assert torch.allclose(dropped_UI, dropped_UI[:, :1].expand_as(dropped_UI), atol=1e-8)
    ranked = (folded.user_UF @ folded.item_IF.T).argsort(dim=1, descending=True)
    assert torch.equal(ranked, scores_UI.argsort(dim=1, descending=True))


def test_by_hand() -> None:
    fm = FactorizationMachine(1, 2)
    with torch.no_grad():
        fm.bias.fill_(0.5)
        fm.user_linear_D.fill_(2.0)
        fm.item_linear_D.fill_(3.0)
        fm.user_factors_DF.copy_(torch.tensor([[1.0, 2.0]]))
        fm.item_factors_DF.copy_(torch.tensor([[3.0, -1.0]]))
    # 0.5 + 2*10 + 3*100 + (1*3 + 2*-1) * 10 * 100
    assert fm(torch.tensor([[10.0]]), torch.tensor([[100.0]])).item() == 1320.5


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_the_parts_of_a_user_and_an_item_sum_to_what_the_fold_gives(
    seed: int, width: int, rank: int, user_parts: int, item_parts: int
) -> None:
    fm = machine(seed, width, rank)
    generator = torch.Generator().manual_seed(seed + 1)
    user_MD, item_ND = (
        torch.randn(parts, width, generator=generator, dtype=torch.float64) for parts in (user_parts, item_parts)
    )
    across_MN, alone_N = fm.split(user_MD, item_ND)
    folded = fm.fold(user_MD.sum(0)[None], item_ND.sum(0)[None])
    assert torch.allclose(across_MN.sum() + alone_N.sum(), (folded.user_UF @ folded.item_IF.T)[0, 0], atol=1e-9)


def test_two_parts_by_hand() -> None:
    """One number a part, V = 2 and 3, w = 5: p = 2u, q = 3i, and a pair within i of one number does not exist."""
    fm = FactorizationMachine(1, 1).double()
    with torch.no_grad():
        fm.user_factors_DF.fill_(2.0)
        fm.item_factors_DF.fill_(3.0)
        fm.item_linear_D.fill_(5.0)
    across_MN, alone_N = fm.split(torch.tensor([[1.0], [10.0]]), torch.tensor([[1.0], [-2.0], [0.0]]))
    assert across_MN.tolist() == [[6.0, -12.0, 0.0], [60.0, -120.0, 0.0]]
    assert alone_N.tolist() == [5.0, -10.0, 0.0]
