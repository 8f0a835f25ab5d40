"""What training minimises: scalars from scores. B pairs of a batch, N candidates."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def bpr(margin_B: Tensor) -> Tensor:
    """Return the mean of -log sigma(margin), a pair's score less its negative's (Rendle et al. 2009)."""
    return -functional.logsigmoid(margin_B).mean()


def clip(one_BD: Tensor, other_BD: Tensor, temperature: float) -> Tensor:
    """Return CLIP's contrast (Radford et al. 2021): each row finds its own among the others', both ways; 0 of one row.

    Rows are compared by their cosine over the temperature.
    """
    if len(one_BD) < 2:
        return one_BD.new_zeros(())
    one_BD, other_BD = (functional.normalize(rows.float(), dim=1, eps=1e-6) for rows in (one_BD, other_BD))
    logit_BB = one_BD @ other_BD.T / temperature
    own_B = torch.arange(len(one_BD), device=one_BD.device)
    return (functional.cross_entropy(logit_BB, own_B) + functional.cross_entropy(logit_BB.T, own_B)) / 2


def sampled_softmax(positive_B: Tensor, score_BN: Tensor, excluded_BN: Tensor, pool: int) -> Tensor:
    """Return the mean cross-entropy of each positive among candidates that the whole batch shares.

    Candidates are a uniform sample of `pool` items, so that each stands for pool / N of them; with N equal
    to the pool it is the full softmax. `excluded_BN` (bool) are candidates that are no negatives of the pair.
    """
    score_BN = score_BN.float()
    score_BN = score_BN + math.log(pool / score_BN.shape[1])
    score_BN = score_BN.masked_fill(excluded_BN, -torch.inf)
    logit_BN = torch.cat([positive_B.float()[:, None], score_BN], dim=1)
    return (torch.logsumexp(logit_BN, dim=1) - positive_B.float()).mean()


def held_out_softmax(score_BI: Tensor, row_T: Tensor, item_T: Tensor, excluded_BI: Tensor) -> Tensor:
    """Return the cross-entropy of each user's T targets (row of the batch, item) among all items, per user.

    A target of a user with n of them counts 1 / sqrt(n), so that heavy users weigh more, but not n times as much.
    """
    score_BI = score_BI.float().masked_fill(excluded_BI, -torch.inf)
    weight_T = torch.bincount(row_T, minlength=len(score_BI))[row_T] ** -0.5
    loss_T = torch.logsumexp(score_BI, dim=1)[row_T] - score_BI[row_T, item_T]
    return (weight_T * loss_T).sum() / len(score_BI)
