"""A trained model that is one inner product: a vector for each user and each item of a dataset, maybe a bias.

U users, I items, N rows of either, B batch of users, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recsys_jobs.ranking.model import Factors


class VectorModel:
    """The contract of ranking/model.py over vectors that a network gave; `state` is what `load` needs of it."""

    def __init__(
        self,
        user_UD: Tensor,
        item_ID: Tensor,
        state: dict[str, Tensor],
        epochs: int,
        history: list[dict[str, float]],
        bias_I: Tensor | None = None,
    ) -> None:
        self._user_UD = user_UD.detach().float().cpu()
        self._item_ID = item_ID.detach().float().cpu()
        self._bias_I = None if bias_I is None else bias_I.detach().float().cpu()
        self._state = {name: value.detach().cpu().clone() for name, value in state.items()}
        self.epochs = epochs
        self.history = history

    def score_block(self, user_B: Tensor) -> Tensor:
        """Return the inner products [B, I], plus the items' biases where there are any."""
        score_BI = self._user_UD[user_B] @ self._item_ID.T
        return score_BI if self._bias_I is None else score_BI + self._bias_I

    def factors(self) -> Factors:
        """Return the vectors themselves; a bias is one more column, beside a column of ones."""
        if self._bias_I is None:
            return Factors(self._user_UD, self._item_ID)
        ones_U1 = torch.ones_like(self._user_UD[:, :1])
        user_UF = torch.cat([self._user_UD, ones_U1], 1)
        item_IF = torch.cat([self._item_ID, self._bias_I[:, None]], 1)
        return Factors(user_UF, item_IF)

    def item_vectors(self) -> Tensor:
        """Return the items' vectors [I, D]; a copy, for safetensors writes no two tensors that share memory."""
        return self._item_ID.clone()

    def weights(self) -> dict[str, Tensor]:
        """Return the network's state, and the epochs that it took."""
        return self._state | {"epochs": torch.tensor(self.epochs)}


def fill_unknown(vector_ND: Tensor) -> Tensor:
    """Return the vectors with rows of zeros replaced by the mean of the others.

    A user or item that nothing is known of is scored as the average of all, and ranks in the middle: a zero would put
    an item that nobody had above most of those that people had and others did not.
    """
    known_N = vector_ND.any(1)
    if known_N.all() or not known_N.any():
        return vector_ND
    return torch.where(known_N[:, None], vector_ND, vector_ND[known_N].mean(0))
