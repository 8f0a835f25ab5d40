"""All users against all items where the user is among the tokens: what pairs share is worked out once.

A user's token and an item's tokens m attend to each other, per head h. Of an item's own rows only one logit
depends on the user; with l = q_m . k_u and L the log of the sum of exp of the row's other logits

    g = sigmoid(l - L)        row m = (1 - g) (what m sees among the item's tokens) + g v_u

so that the item's side is fixed but for its gates. Values are mixed (the layer behind attention) before they are
added up, not after. Scores equal those of `AttentionNetwork.pair_scores` up to rounding.

U users, I items, N either, M tokens of an item, H heads, S = M H, D width, d = D / H.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from recsys_jobs.models.attention.network import AttentionNetwork, Tokens, mean_of_present


class UserSide(NamedTuple):
    """What a user brings to every pair."""

    base_UD: Tensor
    query_UD: Tensor
    key_UD: Tensor
    own_UH: Tensor  # logits of the user's row for itself
    value_UHD: Tensor  # mixed


class ItemSide(NamedTuple):
    """What an item brings to every pair, per token and head."""

    base_ID: Tensor  # where no user is seen
    query_ISD: Tensor
    key_ISD: Tensor
    level_IS: Tensor  # L
    share_IS: Tensor  # of a row in the mean over the item's tokens, 0 where there is no token
    value_ISD: Tensor  # mixed: what the user's row adds up
    seen_ISD: Tensor  # mixed, times the share: what the item's rows see among themselves


def user_side(network: AttentionNetwork, tokens: Tokens) -> UserSide:
    """Return the side of users, one token each."""
    heads = network.recipe.heads
    query, key, value = (part.unflatten(-1, (heads, -1)) for part in _parts(tokens, heads))  # [U, 1, H, d]
    base_UD = tokens.x_NMD[:, 0] + network.mix.bias
    own_UH = (query * key).sum(-1)[:, 0]
    return UserSide(base_UD, query.flatten(1), key.flatten(1), own_UH, _mixed(network, value))


def item_side(network: AttentionNetwork, tokens: Tokens) -> ItemSide:
    """Return the side of items."""
    heads, present_IM = network.recipe.heads, tokens.present_NM
    query, key, value = (part.unflatten(-1, (heads, -1)) for part in _parts(tokens, heads))  # [I, M, H, d]
    logit_IMHM = torch.einsum("imhd,inhd->imhn", query, key).masked_fill(~present_IM[:, None, None], -torch.inf)
    seen_IMHd = torch.einsum("imhn,inhd->imhd", logit_IMHM.softmax(-1), value)
    share_IM = present_IM / present_IM.sum(1, keepdim=True)
    share_IS = share_IM.repeat_interleave(heads, 1)
    seen_ISD = _mixed(network, seen_IMHd) * share_IS[..., None]
    base_ID = mean_of_present(tokens.x_NMD, present_IM) + network.mix.bias + seen_ISD.sum(1)
    level_IS = logit_IMHM.logsumexp(-1).flatten(1)
    return ItemSide(base_ID, _apart(query), _apart(key), level_IS, share_IS, _mixed(network, value), seen_ISD)


def scores(network: AttentionNetwork, users: UserSide, items: ItemSide) -> Tensor:
    """Return the scores [U, I] of all these pairs."""
    slots, heads = items.level_IS.shape[1], network.recipe.heads
    gate_UIS = torch.sigmoid(_logits(users.key_UD, items.query_ISD) - items.level_IS)
    from_user_UIH = (gate_UIS * items.share_IS).unflatten(-1, (-1, heads)).sum(2)
    item_UID = items.base_ID - _over_items(gate_UIS, items.seen_ISD) + from_user_UIH @ users.value_UHD

    logit_UIS = _logits(users.query_UD, items.key_ISD).masked_fill(items.share_IS == 0, -torch.inf)
    own_UI1H = users.own_UH[:, None, None].expand(-1, len(items.base_ID), -1, -1)
    weight = torch.cat([own_UI1H, logit_UIS.unflatten(-1, (-1, heads))], dim=2).softmax(2)  # [U, I, 1 + M, H]
    seen_UID = _over_items(weight[:, :, 1:].reshape(*logit_UIS.shape[:2], slots), items.value_ISD)
    user_UID = users.base_UD[:, None] + seen_UID + weight[:, :, 0] @ users.value_UHD

    layered_UI: Tensor = network.readout(torch.cat([user_UID, item_UID], dim=-1)).squeeze(-1)
    return (user_UID * item_UID).sum(-1) + layered_UI


def _parts(tokens: Tokens, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    query, key, value = tokens.query_key_value.chunk(3, dim=-1)
    return query / math.sqrt(query.shape[-1] // heads), key, value


def _apart(part: Tensor) -> Tensor:
    """Return each head's part [N, M, H, d] in its place of the width, zeros elsewhere [N, S, D]."""
    heads = part.shape[2]
    placed = part[:, :, None] * torch.eye(heads, device=part.device)[:, :, None]
    return placed.flatten(3).flatten(1, 2)


def _mixed(network: AttentionNetwork, part: Tensor) -> Tensor:
    return functional.linear(_apart(part), network.mix.weight)


def _logits(user_UD: Tensor, item_ISD: Tensor) -> Tensor:
    """Return the products [U, I, S]: one multiplication, as heads are apart."""
    return (user_UD @ item_ISD.flatten(0, 1).T).unflatten(1, item_ISD.shape[:2])


def _over_items(weight_UIS: Tensor, part_ISD: Tensor) -> Tensor:
    """Return each pair's weighted sum over the item's tokens and heads [U, I, D]."""
    return torch.bmm(weight_UIS.transpose(0, 1), part_ISD).transpose(0, 1)
