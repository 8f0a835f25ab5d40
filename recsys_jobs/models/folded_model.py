"""A fitted model kept as its fold: what ranking and publishing need of it, without the code that trained it.

U users, I items, B batch of users, F factors, D width.
"""

from __future__ import annotations

from torch import Tensor

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models import families
from recsys_jobs.models.blend.learner import BlendModel
from recsys_jobs.models.blend.recipe import BlendRecipe
from recsys_jobs.ranking.model import Factors, Model
from recsys_jobs.torch_common.named_tensors import join_parts, split_parts
from recsys_jobs.training.recipe import Recipe

USER, ITEM, VECTORS = "fold.user_UF", "fold.item_IF", "fold.item_ID"


class FoldedModel:
    """The contract of ranking/model.py over one dataset; ranks as the model that was folded."""

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
    """Return the tensors that `unfold` needs; none where the model does not fold.

    A blend's are those of its parts, under the same numbers as their weights.
    """
    if isinstance(model, BlendModel):
        return join_parts({str(number): fold(part) for number, (_, part) in enumerate(model.parts)})
    factors, vectors_ID = model.factors(), model.item_vectors()
    if factors is None:
        return {}
    tensors = {USER: factors.user_UF, ITEM: factors.item_IF}
    return tensors if vectors_ID is None else tensors | {VECTORS: vectors_ID}


def unfold(tensors: dict[str, Tensor], dataset: Dataset, recipe: Recipe) -> Model | None:
    """Return the model that `fold` kept among `tensors`, or None; JobError where it is of another dataset.

    Parts of a blend that do not fold are loaded from their weights.
    """
    if isinstance(recipe, BlendRecipe):
        return _unfold_blend(tensors, dataset, recipe)
    folded = {name: tensor for name, tensor in tensors.items() if name in (USER, ITEM, VECTORS)}
    if not folded:
        return None
    if (len(folded[USER]), len(folded[ITEM])) != (len(dataset.users), len(dataset.items)):
        raise JobError("the kept factors are of another cut: run the fit again")
    return FoldedModel(folded)


def _unfold_blend(tensors: dict[str, Tensor], dataset: Dataset, recipe: BlendRecipe) -> Model:
    of_part = split_parts(tensors)
    parts: list[tuple[float, Model]] = []
    for number, (weight, part) in enumerate(recipe.parts):
        part_tensors = of_part[str(number)]
        model = unfold(part_tensors, dataset, part) or families.load(part_tensors, dataset, part)
        parts.append((weight, model))
    return BlendModel(parts, len(dataset.items))
