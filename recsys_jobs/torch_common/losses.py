"""What training minimises: scalars from scores.

B pairs (or users) of a batch, N candidates, I items, T targets of the batch's users, D width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def bpr(margin_B: Tensor) -> Tensor:
    """Return the mean of -log sigma(margin), a pair's score less its negative's (Rendle et al. 2009)."""
    return -functional.logsigmoid(margin_B).mean()


def clip(left_BD: Tensor, right_BD: Tensor, temperature: float) -> Tensor:
    """Return CLIP's contrast (Radford et al. 2021): each row finds its pair in the other matrix, both ways.

    Of one row it is 0.

    Rows are compared by their cosine over the temperature.
    """
    if len(left_BD) < 2:
        return left_BD.new_zeros(())
    left_BD = functional.normalize(left_BD.float(), dim=1, eps=1e-6)
    right_BD = functional.normalize(right_BD.float(), dim=1, eps=1e-6)
    logit_BB = left_BD @ right_BD.T / temperature
    own_B = torch.arange(len(left_BD), device=left_BD.device)
    left_loss = functional.cross_entropy(logit_BB, own_B)
    right_loss = functional.cross_entropy(logit_BB.T, own_B)
    return (left_loss + right_loss) / 2


def sampled_softmax(positive_B: Tensor, score_BN: Tensor, excluded_BN: Tensor, pool: int) -> Tensor:
    """Return the mean cross-entropy of each positive among candidates that the whole batch shares.

    Candidates are a uniform sample of `pool` items, so that each stands for pool / N of them; with N equal
    to the pool it is the full softmax. `excluded_BN` (bool) are candidates that are no negatives of the pair.
    """
    score_BN = score_BN.float()
    score_BN = score_BN + math.log(pool / score_BN.shape[1])
    score_BN = score_BN.masked_fill(excluded_BN, -torch.inf)
    positive_B = positive_B.float()
    logit_BN = torch.cat([positive_B[:, None], score_BN], dim=1)
    return (torch.logsumexp(logit_BN, dim=1) - positive_B).mean()


def held_out_softmax(score_BI: Tensor, row_T: Tensor, item_T: Tensor, excluded_BI: Tensor) -> Tensor:
    """Return the cross-entropy of each user's T targets (row of the batch, item) among all items, per user.

    A target of a user with n of them counts 1 / sqrt(n), so that heavy users weigh more, but not n times as much.
    """
    score_BI = score_BI.float().masked_fill(excluded_BI, -torch.inf)
    targets_B = torch.bincount(row_T, minlength=len(score_BI))
    weight_T = targets_B[row_T] ** -0.5
    partition_B = torch.logsumexp(score_BI, dim=1)
    loss_T = partition_B[row_T] - score_BI[row_T, item_T]
    return (weight_T * loss_T).sum() / len(score_BI)
