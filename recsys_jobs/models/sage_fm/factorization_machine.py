"""A factorization machine over x = [user; item], and its fold to one inner product.

    y = w0 + sum_j w_j x_j + sum_{j<k} <v_j, v_k> x_j x_k        (Rendle 2010; the seed's section 6)

With u and i the halves of x, p = V_u' u and q = V_i' i, the double sum falls into the pairs within u,
the pairs within i, and the pairs across, which are p . q. So y = a(u) + b(i) + p . q.

U users, I items, B batch, D width, F rank, M and N parts of one user and of one item.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys_jobs.ranking.model import Factors


class FactorizationMachine(nn.Module):
    """The machine for `width`-wide users and items; `scale` is the size of the cross term at the start.

    Both halves of V start as the same random projection, so that the cross term starts as
    scale * <u, i> seen through it: alike scores high before anything is learned.
    """

    def __init__(self, width: int, rank: int, scale: float = 1.0) -> None:
        super().__init__()
        start_DF = torch.randn(width, rank) * (scale / rank) ** 0.5
        self.bias = nn.Parameter(torch.zeros(()))
        self.user_linear_D = nn.Parameter(torch.zeros(width))
        self.item_linear_D = nn.Parameter(torch.zeros(width))
        self.user_factors_DF = nn.Parameter(start_DF.clone())
        self.item_factors_DF = nn.Parameter(start_DF.clone())

    def user_terms(self, user_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Return a(u) [B], which holds w0, and p [B, F]."""
        constant_B, p_BF = _terms(user_BD, self.user_linear_D, self.user_factors_DF)
        return self.bias + constant_B, p_BF

    def item_terms(self, item_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Return b(i) [B] and q [B, F]."""
        return _terms(item_BD, self.item_linear_D, self.item_factors_DF)

    def forward(self, user_BD: Tensor, item_BD: Tensor) -> Tensor:
        """Return the scores [B] of user and item rows side by side."""
        a_B, p_BF = self.user_terms(user_BD)
        b_B, q_BF = self.item_terms(item_BD)
        return a_B + b_B + (p_BF * q_BF).sum(-1)

    def all_pairs(self, user_BD: Tensor, item_ID: Tensor) -> Tensor:
        """Return the scores [B, I] of every user with every item."""
        a_B, p_BF = self.user_terms(user_BD)
        b_I, q_IF = self.item_terms(item_ID)
        return a_B[:, None] + (b_I + p_BF @ q_IF.T)

    def fold(self, user_UD: Tensor, item_ID: Tensor) -> Factors:
        """Return [p; 1] [U, F + 1] and [q; b(i)] [I, F + 1]: a(u) is dropped, for it moves no ranking."""
        _, p_UF = self.user_terms(user_UD)
        b_I, q_IF = self.item_terms(item_ID)
        return Factors(
            torch.cat([p_UF, torch.ones_like(p_UF[:, :1])], dim=1),
            torch.cat([q_IF, b_I[:, None]], dim=1),
        )

    @torch.no_grad()
    def split(self, user_MD: Tensor, item_ND: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the parts of a user and of an item, which sum to u and i, give to b(i) + p . q, in float64.

        Across [M, N]: the inner products of the parts' own p and q. Alone [N]: the item's b(i), whose pairs
        of two parts go to each by half. Together they sum to the score that `fold` gives.
        """
        user_MD, item_ND = user_MD.double(), item_ND.double()
        factors_DF, item_D = self.item_factors_DF.double(), item_ND.sum(0)
        q_NF = item_ND @ factors_DF
        pairs_N = q_NF @ q_NF.sum(0) - item_ND @ (item_D * factors_DF.square().sum(1))
        across_MN = user_MD @ self.user_factors_DF.double() @ q_NF.T
        return across_MN, item_ND @ self.item_linear_D.double() + pairs_N / 2


def _terms(x_BD: Tensor, linear_D: Tensor, factors_DF: Tensor) -> tuple[Tensor, Tensor]:
    """Return w'x + sum_{j<k} <v_j, v_k> x_j x_k of one half alone [B], and V'x [B, F].

    The double sum is (|V'x|^2 - sum_j |v_j|^2 x_j^2) / 2.
    """
    sums_BF = x_BD @ factors_DF
    squares_B = x_BD.square() @ factors_DF.square().sum(1)
    return x_BD @ linear_D + (sums_BF.square().sum(1) - squares_B) / 2, sums_BF
