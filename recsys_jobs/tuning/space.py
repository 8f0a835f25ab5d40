"""What is searched of each recipe: fields and ranges, by dataclass; a derived one has its bases' fields too.

Whatever the validation is measured with (its users, its K, its windows) is no field here: another yardstick is no
better model. A range holds the recipe's own value, with which a search begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from recsys_jobs.models.attention.recipe import AttentionRecipe
from recsys_jobs.models.blend.recipe import BlendRecipe
from recsys_jobs.models.closed_form.recipe import EaseTextRecipe, ItemKnnRecipe, TextKnnRecipe, UserKnnRecipe
from recsys_jobs.models.lightgcn.recipe import LightGCNRecipe
from recsys_jobs.models.ncf.recipe import NcfRecipe
from recsys_jobs.models.recent.recipe import RecentRecipe
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe
from recsys_jobs.models.sage_recent.recipe import SageRecentRecipe
from recsys_jobs.models.sage_softmax.recipe import SageGraphRecipe, SageSoftmaxRecipe
from recsys_jobs.models.sequence.recipe import (
    ContentSequenceRecipe,
    GatedSequenceRecipe,
    SequenceRecipe,
    TemporalGPT2Recipe,
)
from recsys_jobs.models.slim.recipe import SlimRecipe
from recsys_jobs.training.recipe import Recipe, TrainedRecipe

Rule = Callable[[Any], BaseDistribution | None]  # from the recipe's own value; None: it stays as it is


def _around(factor: float) -> Rule:
    """Return a rule: from own / factor to own * factor on a log scale; what is 0 is switched off, and stays so."""

    def rule(own: float) -> BaseDistribution | None:
        if not own:
            return None
        if isinstance(own, int):
            return IntDistribution(max(1, int(own / factor)), int(own * factor), log=True)
        return FloatDistribution(own / factor, own * factor, log=True)

    return rule


def _between(low: float, high: float) -> Rule:
    """Return a rule: from low to high, further where the recipe's own value is outside."""
    return lambda own: FloatDistribution(min(low, own), max(high, own))


def _count(low: int, high: int) -> Rule:
    """Return a rule: whole numbers from low to high, as `_between`; 0 is switched off, and stays so."""
    return lambda own: IntDistribution(min(low, own), max(high, own)) if own else None


def _among(*values: int) -> Rule:
    """Return a rule: one of the values, and of the recipe's own; 0 is switched off, and stays so."""
    return lambda own: CategoricalDistribution(sorted({*values, own})) if own else None


_FIELDS: dict[type[Recipe], dict[str, Rule]] = {
    TrainedRecipe: {"learning_rate": _around(4), "weight_decay": _around(10)},
    SageFMRecipe: {
        "node_learning_rate": _around(4),
        "temperature": _around(2),
        "node_dropout": _between(0.0, 0.5),
        "edge_dropout": _between(0.0, 0.5),
        "l2": _around(100),
        "graph_layers": _count(1, 3),
        "text_neighbours": _among(5, 10, 20),
    },
    SageGraphRecipe: {
        "temperature": _around(2),
        "layers": _count(1, 3),
        "text_neighbours": _among(5, 10, 20),
        "start_scale": _around(4),
        "max_epochs": _count(3, 10),  # the rate falls to zero over them
    },
    SageSoftmaxRecipe: {"held_out": _between(0.1, 0.6)},
    SageRecentRecipe: {
        "recent_share": _between(0.1, 0.8),
        "history_dropout": _between(0.0, 0.6),
        "time_learning_rate": _around(4),
        "steps_per_epoch": _among(18, 36, 72),
    },
    LightGCNRecipe: {"l2": _around(30), "layers": _count(1, 4), "width": _among(32, 64, 128)},
    SequenceRecipe: {
        "dropout": _between(0.1, 0.7),
        "blocks": _count(1, 3),
        "width": _among(32, 64, 128),
        "start_scale": _around(4),
    },
    ContentSequenceRecipe: {"identity_dropout": _between(0.0, 0.5)},
    GatedSequenceRecipe: {"temperature": _around(2)},
    TemporalGPT2Recipe: {"temperature": _around(2)},
    AttentionRecipe: {
        "dropout": _between(0.0, 0.5),
        "id_dropout": _between(0.0, 0.5),
        "content_dropout": _between(0.0, 0.5),
        "contrast": _around(10),
        "start_scale": _around(4),
    },
    NcfRecipe: {"dropout": _between(0.0, 0.5), "width": _among(32, 64, 128), "start_scale": _around(4)},
    EaseTextRecipe: {
        "ridge": _around(8),
        "text_weight": _around(8),
        "text_power": _between(1.0, 6.0),
        "user_exponent": _between(0.0, 1.0),
        "item_exponent": _between(0.0, 1.0),
    },
    TextKnnRecipe: {
        "neighbours": _around(4),
        "text_weight": _around(8),
        "text_power": _between(1.0, 6.0),
        "user_exponent": _between(0.0, 1.0),
        "item_exponent": _between(0.0, 1.0),
    },
    ItemKnnRecipe: {
        "neighbours": _around(4),
        "shrinkage": _between(0.0, 300.0),
        "user_exponent": _between(0.0, 1.0),
    },
    SlimRecipe: {"neighbours": _around(4), "ridge": _around(8)},
    UserKnnRecipe: {"neighbours": _around(4), "shrinkage": _between(0.0, 30.0)},
    RecentRecipe: {"smoothing": _around(30)},  # what is learned on its windows needs no search
}
# a field that says nothing while another one of the same recipe, where it has that one, is off
_IDLE_WITHOUT = {
    "temperature": "normalise",
    "text_power": "text_weight",
    "text_weight": "co_reviews",
    "user_exponent": "co_reviews",
    "item_exponent": "co_reviews",
    "smoothing": "parts",
}


def search_space(recipe: Recipe) -> dict[str, BaseDistribution]:
    """Return what is searched of a recipe, by field, of its parts as `part.field`; empty where there is nothing."""
    if isinstance(recipe, BlendRecipe):
        return {}
    own: dict[str, BaseDistribution] = {}
    for kind in type(recipe).__mro__:
        for name, rule in _FIELDS.get(kind, {}).items():
            limits = rule(getattr(recipe, name)) if _counts(recipe, name) else None
            if limits is not None:
                own.setdefault(name, limits)
    of_parts = {
        f"{part.name}.{name}": limits for part in parts_of(recipe) for name, limits in search_space(part).items()
    }
    return own | of_parts


def _counts(recipe: Recipe, name: str) -> bool:
    switch = _IDLE_WITHOUT.get(name, "")
    return bool(getattr(recipe, switch, True))


def own_values(recipe: Recipe) -> dict[str, Any]:
    """Return the values that the recipe itself has of its space."""
    parts = {part.name: part for part in parts_of(recipe)}
    values = {}
    for name in search_space(recipe):
        part_name, _, field = name.rpartition(".")
        values[name] = getattr(parts.get(part_name, recipe), field)
    return values


def with_values(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """Return the recipe with these values of its space."""
    own = {name: value for name, value in values.items() if "." not in name}
    if isinstance(recipe, RecentRecipe):
        own["parts"] = tuple(
            (weight, with_values(part, _values_of_part(part.name, values))) for weight, part in recipe.parts
        )
    return replace(recipe, **own)


def parts_of(recipe: Recipe) -> list[Recipe]:
    """Return a recipe's parts, none of most."""
    return [part for _, part in recipe.parts] if isinstance(recipe, BlendRecipe | RecentRecipe) else []


def _values_of_part(part_name: str, values: dict[str, Any]) -> dict[str, Any]:
    prefix = f"{part_name}."
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
