"""What every fitted model offers to ranking, evaluation and publishing.

U users, I items, B batch of users, F factors, D width, P pairs,
M modalities of a user, N of an item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True)
class Factors:
    """A model folded into one inner product: user_UF @ item_IF.T ranks every user's items as the model does.

    The values may differ from `score_block` by a constant of the user, which changes no ranking.
    """

    user_UF: Tensor  # float32
    item_IF: Tensor  # float32


class Model(Protocol):
    """A fitted model over all the users and items of the dataset that it was fitted on."""

    def score_block(self, user_B: Tensor, /) -> Tensor:
        """Return the scores [B, I], float32, unmasked, of the users with these indices (int64)."""
        ...

    def factors(self) -> Factors | None:
        """Return the folded model, or None where it does not fold."""
        ...

    def item_vectors(self) -> Tensor | None:
        """Return vectors [I, D] whose cosine says how alike two items are, or None."""
        ...

    def weights(self) -> dict[str, Tensor]:
        """Return what the family's `load(weights, dataset, recipe)` needs to make this model again."""
        ...


class Trained(Model, Protocol):
    """A model that took epochs: how many, and the numbers that each of them logged."""

    epochs: int
    history: list[dict[str, float]]


@runtime_checkable
class ItemToItem(Protocol):
    """What a model without item vectors may offer instead: how alike it finds two items."""

    items: int

    def similar_block(self, item_B: Tensor, /) -> Tensor:
        """Return how alike these items and all items are [B, I], float32; 0 where nothing is known."""
        ...


@dataclass(frozen=True)
class ModalityTerms:
    """One score split by modality: everything sums to what `Factors` gives, attention weights held fixed."""

    user: list[str]  # M names
    item: list[str]  # N names
    across_MN: Tensor  # float64: a modality of the user with one of the item
    alone_N: Tensor  # float64: what a modality of the item adds whoever the user is


@runtime_checkable
class SplitsByModality(Protocol):
    """What a model offers besides whose score is a sum over modalities of the user and of the item."""

    def modality_terms(self, user: int, item: int, /) -> ModalityTerms:
        """Return the terms of the score of the user and the item with these indices."""
        ...


@runtime_checkable
class SplitsByHistory(Protocol):
    """What a model offers besides whose score is a sum over the items of a history."""

    def history_terms(self, user: int, item: int, /) -> dict[int, float]:
        """Return the terms, by index of the item that the user had; they sum to the score."""
        ...


@dataclass(frozen=True)
class PartTerms:
    """What one part of a blend adds to a score, weighed and standardised, and of what that is made where it splits."""

    total: float
    history: dict[int, float] | None  # by index of the item that the user had
    of_late: float | None  # the part's term of recent popularity

    @property
    def rest(self) -> float:
        """What is neither: less the mean of the user's scores, from which standardising counts."""
        return self.total - sum((self.history or {}).values()) - (self.of_late or 0.0)


@runtime_checkable
class SplitsByPart(Protocol):
    """What a blend offers besides: its score is a sum over its parts."""

    def part_terms(self, user: int, item: int, /) -> list[PartTerms]:
        """Return the terms, in the order of the recipe's parts; their totals sum to the score."""
        ...


@runtime_checkable
class HasPopularityTerm(Protocol):
    """What a model offers besides whose score has a term that is the same for everyone: what is popular of late."""

    def prior_term(self, item: int, /) -> float:
        """Return what an item's recent popularity adds to its score, beside the terms of a history."""
        ...


@runtime_checkable
class Validated(Protocol):
    """What a closed form offers besides that learned a few numbers on the last windows before its cut."""

    validation: float  # NDCG there; below 0 where there was no window


@runtime_checkable
class Rater(Protocol):
    """What a model that was fitted on ratings offers besides."""

    def predict_ratings(self, user_P: Tensor, item_P: Tensor, /) -> Tensor:
        """Return the stars [P], float32, that these users would give these items."""
        ...
