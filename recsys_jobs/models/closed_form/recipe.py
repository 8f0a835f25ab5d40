"""Recipes of closed forms and neighbours, which train in no epochs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recsys_jobs.training.recipe import Recipe


@dataclass(frozen=True)
class EaseTextRecipe(Recipe):
    """Configuration of EASE with text (see models/closed_form/ease_text.py for the equation)."""

    ridge: float = 120.0  # lambda
    text_weight: float = 1.0  # the text term's mean over the mean of the co-occurrences; 0 is plain EASE
    text_power: float = 3.0
    user_exponent: float = 0.5  # a
    item_exponent: float = 0.3  # b
    kept: int = 1_000  # largest entries kept of each column of B; fewer lose recall


@dataclass(frozen=True)
class TextKnnRecipe(Recipe):
    """Configuration of the item-kNN by text and co-reviews (see models/closed_form/text_knn.py for the equation)."""

    neighbours: int = 100  # kept an item, of each kind
    text_weight: float = 1.0  # the text term's sum over that of the co-occurrences
    text_power: float = 3.0
    user_exponent: float = 0.5
    item_exponent: float = 0.3
    history: int = 50  # last events of a user that count as co-occurring
    co_reviews: bool = True  # without them it is a kernel of the contents alone
    modality: str = "text"  # which contents: text or image


@dataclass(frozen=True)
class ItemKnnRecipe(Recipe):
    """Configuration of item-kNN (see models/closed_form/item_knn.py)."""

    neighbours: int = 200  # kept an item
    shrinkage: float = 100.0  # added to the cosine's denominator; events are few, and a cosine of few is chance
    history: int = 200  # last events of a user that count as co-occurring: cost, not meaning
    user_exponent: float = 0.0  # of a user's events: 1/2 lets those who had a thousand things say less of any two


@dataclass(frozen=True)
class UserKnnRecipe(Recipe):
    """Configuration of user-kNN (see models/closed_form/user_knn.py)."""

    neighbours: int = 400
    shrinkage: float = 3.0


def ease_text() -> EaseTextRecipe:
    """The floor."""
    return EaseTextRecipe(name="ease_text", family="ease_text")


def ease() -> EaseTextRecipe:
    """EASE as Steck (2019) gives it, by identifiers alone; the ridge is his for the sparsest of his data."""
    return EaseTextRecipe(
        name="ease", family="ease_text", ridge=200.0, text_weight=0.0, user_exponent=0.0, item_exponent=0.0
    )


def text_knn() -> TextKnnRecipe:
    """The floor of a catalogue too large for the other."""
    return TextKnnRecipe(name="text_knn", family="text_knn")


def text_kernel() -> TextKnnRecipe:
    """Items of alike text: weak alone, but it errs differently, and it knows items that nobody had."""
    return TextKnnRecipe(name="text_kernel", family="text_knn", neighbours=500, co_reviews=False)


def image_kernel() -> TextKnnRecipe:
    """Items of alike pictures."""
    return TextKnnRecipe(name="image_kernel", family="text_knn", neighbours=500, co_reviews=False, modality="image")


def item_knn() -> ItemKnnRecipe:
    """Items that the same people had."""
    return ItemKnnRecipe(name="item_knn", family="item_knn")


def item_cosine() -> ItemKnnRecipe:
    """Item-kNN as it is best on real nights: no shrinkage, more neighbours, people with many events say less."""
    return ItemKnnRecipe(name="item_cosine", family="item_knn", neighbours=500, shrinkage=0.0, user_exponent=0.5)


def user_knn() -> UserKnnRecipe:
    """What the people had who had the same things."""
    return UserKnnRecipe(name="user_knn", family="user_knn")


def popularity() -> Recipe:
    """How many people had an item."""
    return Recipe(name="popularity", family="popularity")


def random_scores() -> Recipe:
    """Seeded noise: what shows that the exam can be failed."""
    return Recipe(name="random", family="random")


RECIPES: dict[str, Callable[[], Recipe]] = {
    "ease_text": ease_text,
    "ease": ease,
    "text_knn": text_knn,
    "text_kernel": text_kernel,
    "image_kernel": image_kernel,
    "item_knn": item_knn,
    "item_cosine": item_cosine,
    "user_knn": user_knn,
    "popularity": popularity,
    "random": random_scores,
}
FAMILIES = {
    "ease_text": "recsys_jobs.models.closed_form.ease_text",
    "text_knn": "recsys_jobs.models.closed_form.text_knn",
    "item_knn": "recsys_jobs.models.closed_form.item_knn",
    "user_knn": "recsys_jobs.models.closed_form.user_knn",
    "popularity": "recsys_jobs.models.closed_form.popularity",
    "random": "recsys_jobs.models.closed_form.random_scores",
}
