"""A fitted model kept as its fold: what ranking and publishing need of it, without the code that trained it.

U users, I items, B batch of users, F factors, D width.
"""

from __future__ import annotations

from torch import Tensor

from recsys_jobs.dataset import Dataset
from recsys_jobs.errors import JobError
from recsys_jobs.models.contract import Factors, Model

USER, ITEM, VECTORS = "fold.user_UF", "fold.item_IF", "fold.item_ID"


class FoldedModel:
    """The contract of models/contract.py over one dataset; ranks as the model that was folded."""

    def __init__(self, fold: dict[str, Tensor]) -> None:
        self._fold = fold

    def score_block(self, user_B: Tensor) -> Tensor:
        """Return p . q [B, I]: the model's scores up to a constant of the user."""
        return self._fold[USER][user_B] @ self._fold[ITEM].T

    def factors(self) -> Factors:
        """Return the factors that were kept."""
        return Factors(self._fold[USER], self._fold[ITEM])

    def item_vectors(self) -> Tensor | None:
        """Return the item vectors that were kept, if the model had some."""
        return self._fold.get(VECTORS)

    def weights(self) -> dict[str, Tensor]:
        """Return the fold itself."""
        return self._fold


def fold(model: Model) -> dict[str, Tensor]:
    """Return the tensors that `unfold` needs; none where the model does not fold."""
    factors, vectors_ID = model.factors(), model.item_vectors()
    if factors is None:
        return {}
    tensors = {USER: factors.user_UF, ITEM: factors.item_IF}
    return tensors if vectors_ID is None else tensors | {VECTORS: vectors_ID}


def unfold(tensors: dict[str, Tensor], dataset: Dataset) -> FoldedModel | None:
    """Return the model that `fold` kept among `tensors`, or None; JobError where it is of another dataset."""
    kept = {name: tensor for name, tensor in tensors.items() if name in (USER, ITEM, VECTORS)}
    if not kept:
        return None
    if (len(kept[USER]), len(kept[ITEM])) != (len(dataset.users), len(dataset.items)):
        raise JobError("the kept factors are of another cut: run the fit again")
    return FoldedModel(kept)
