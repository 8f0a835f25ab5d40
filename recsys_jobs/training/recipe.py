"""What recipes have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """What every recipe has: the name it is asked for by, and the family of code that fits it."""

    name: str
    family: str


@dataclass(frozen=True)
class ComposedRecipe(Recipe):
    """What a recipe of several others has beside that: the weight of each part, and the part."""

    parts: tuple[tuple[float, Recipe], ...] = ()


@dataclass(frozen=True)
class TrainedRecipe(Recipe):
    """What every neural family's recipe has beside that: the loop of loop.py."""

    learning_rate: float = 1e-3
    learning_rate_decay: float = 1.0  # factor per epoch, of the exponential schedule
    schedule: str = "exponential"  # constant, exponential; or linear, cosine: down towards zero over max_epochs
    warmup_epochs: int = 0  # of the schedule's own start, with rates that rise evenly
    optimizer: str = "adam"  # adam, adamw, sgd with momentum
    weight_decay: float = 0.0  # of the optimizer: decoupled for adamw, L2 for the others
    clip_norm: float = 1.0
    max_epochs: int = 60
    patience: int = 5  # epochs without a better value of what it stops by
    stop_by: str = "validation_ndcg"  # the higher the better; or validation_loss, the lower the better
    validation_users: int = 2_000
    validation_k: int = 20
    mixed_precision: str = "auto"  # auto: on cuda only; bfloat16: everywhere; off


def part_recipes(recipe: Recipe) -> list[Recipe]:
    """Return a recipe's parts, none of most."""
    return [part for _, part in recipe.parts] if isinstance(recipe, ComposedRecipe) else []


def is_iterative(recipe: Recipe) -> bool:
    """Whether a recipe trains in epochs, and stops early on the validation events."""
    return isinstance(recipe, TrainedRecipe) or any(map(is_iterative, part_recipes(recipe)))
