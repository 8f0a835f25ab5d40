"""Recipes: a run's whole configuration as a frozen dataclass that a plain function returns. Standard library only.

`family` says which code fits the recipe (see families.py). A new family adds a dataclass of its own and a
function for each named configuration to a module of this package, and a line to `RECIPES`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.models.attention.recipe import AttentionRecipe, attention_contrastive, attention_towers
from recsys_jobs.models.blend.recipe import (
    BlendRecipe,
    ease_kernel,
    ease_kernel_sage,
    ease_lightgcn,
    ease_lightgcn_sage,
    ease_sage,
    recent_sage,
    sequence_kernel,
    sequence_sage,
)
from recsys_jobs.models.closed_form.recipe import (
    EaseTextRecipe,
    ItemKnnRecipe,
    TextKnnRecipe,
    UserKnnRecipe,
    ease,
    ease_text,
    image_kernel,
    item_cosine,
    item_knn,
    popularity,
    random_scores,
    text_kernel,
    text_knn,
    user_knn,
)
from recsys_jobs.models.lightgcn.recipe import LightGCNRecipe, bpr_mf, lightgcn
from recsys_jobs.models.ncf.recipe import NcfRecipe, ncf_rating
from recsys_jobs.models.recent.recipe import (
    RecentRecipe,
    ease_text_recent,
    item_knn_recent,
    multimodal_knn_recent,
    popularity_recent,
    text_knn_recent,
)
from recsys_jobs.models.sage_fm.recipe import (
    SageFMRecipe,
    sage_fm,
    sage_fm_debug,
    sage_fm_end_to_end,
    sage_fm_end_to_end_small,
    sage_fm_seed,
    sage_fm_text_graph,
)
from recsys_jobs.models.sage_recent.recipe import SageRecentRecipe, sage_fm_recent
from recsys_jobs.models.sage_softmax.recipe import SageGraphRecipe, SageSoftmaxRecipe, sage_fm_softmax
from recsys_jobs.models.sequence.recipe import (
    ContentSequenceRecipe,
    GatedSequenceRecipe,
    SequenceRecipe,
    TemporalGPT2Recipe,
    gated_sequence,
    sasrec,
    temporal_gpt2,
)
from recsys_jobs.models.tuned_recipes import is_tuned, kept
from recsys_jobs.training.recipe import Recipe, TrainedRecipe

__all__ = [
    "AttentionRecipe",
    "BlendRecipe",
    "ContentSequenceRecipe",
    "EaseTextRecipe",
    "GatedSequenceRecipe",
    "ItemKnnRecipe",
    "LightGCNRecipe",
    "NcfRecipe",
    "RECIPES",
    "RecentRecipe",
    "Recipe",
    "SageFMRecipe",
    "SageGraphRecipe",
    "SageRecentRecipe",
    "SageSoftmaxRecipe",
    "SequenceRecipe",
    "TemporalGPT2Recipe",
    "TextKnnRecipe",
    "TrainedRecipe",
    "UserKnnRecipe",
    "attention_contrastive",
    "attention_towers",
    "best_recipe",
    "bpr_mf",
    "ease",
    "ease_kernel",
    "ease_kernel_sage",
    "ease_lightgcn",
    "ease_lightgcn_sage",
    "ease_sage",
    "ease_text",
    "ease_text_recent",
    "gated_sequence",
    "image_kernel",
    "item_cosine",
    "item_knn",
    "item_knn_recent",
    "lightgcn",
    "multimodal_knn_recent",
    "ncf_rating",
    "popularity",
    "popularity_recent",
    "random_scores",
    "recent_sage",
    "recipe",
    "restored",
    "sage_fm",
    "sage_fm_debug",
    "sage_fm_end_to_end",
    "sage_fm_end_to_end_small",
    "sage_fm_recent",
    "sage_fm_seed",
    "sage_fm_softmax",
    "sage_fm_text_graph",
    "sasrec",
    "sequence_kernel",
    "sequence_sage",
    "temporal_gpt2",
    "text_kernel",
    "text_knn",
    "text_knn_recent",
    "user_knn",
]

RECIPES: dict[str, Callable[[], Recipe]] = {
    "sage_fm": sage_fm,
    "sage_fm_seed": sage_fm_seed,
    "sage_fm_debug": sage_fm_debug,
    "sage_fm_end_to_end": sage_fm_end_to_end,
    "sage_fm_end_to_end_small": sage_fm_end_to_end_small,
    "sage_fm_softmax": sage_fm_softmax,
    "sage_fm_recent": sage_fm_recent,
    "sage_fm_text_graph": sage_fm_text_graph,
    "bpr_mf": bpr_mf,
    "lightgcn": lightgcn,
    "sasrec": sasrec,
    "gated_sequence": gated_sequence,
    "temporal_gpt2": temporal_gpt2,
    "ncf_rating": ncf_rating,
    "attention_contrastive": attention_contrastive,
    "attention_towers": attention_towers,
    "ease_text": ease_text,
    "ease": ease,
    "text_knn": text_knn,
    "text_kernel": text_kernel,
    "image_kernel": image_kernel,
    "item_knn": item_knn,
    "item_cosine": item_cosine,
    "user_knn": user_knn,
    "recent_sage": recent_sage,
    "ease_sage": ease_sage,
    "ease_kernel_sage": ease_kernel_sage,
    "ease_kernel": ease_kernel,
    "ease_lightgcn_sage": ease_lightgcn_sage,
    "ease_lightgcn": ease_lightgcn,
    "sequence_sage": sequence_sage,
    "sequence_kernel": sequence_kernel,
    "popularity": popularity,
    "popularity_recent": popularity_recent,
    "item_knn_recent": item_knn_recent,
    "text_knn_recent": text_knn_recent,
    "ease_text_recent": ease_text_recent,
    "multimodal_knn_recent": multimodal_knn_recent,
    "random": random_scores,
}


def recipe(name: str) -> Recipe:
    """Return the recipe called `name`, one that a search found too; UsageError for an unknown one."""
    if is_tuned(name):
        return replace(_part(kept(name)), name=name)
    if name not in RECIPES:
        raise UsageError(f"unknown recipe {name!r}: name one of {', '.join(sorted(RECIPES))}")
    return RECIPES[name]()


def restored(name: str, values: Mapping[str, str]) -> Recipe:
    """Return the recipe as it was when its fit logged these values: what its name means may have changed since."""
    now = recipe(name)
    logged = {field.name: values[field.name] for field in fields(now) if field.name in values}
    return _as_logged(now, {key: _parsed(text, getattr(now, key)) for key, text in logged.items()})


def _part(values: Mapping[str, Any]) -> Recipe:
    """Return a recipe out of its fields as JSON gave them back: it knows lists where a recipe has tuples."""
    now = recipe(values["name"])
    known = {field.name for field in fields(now)}
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if key in known}
    return _as_logged(now, plain)


def _as_logged(now: Recipe, logged: dict[str, Any]) -> Recipe:
    """Return the recipe with what was logged; a field that came later is off, which is what its default says."""
    later = {field.name: field.default for field in fields(now) if field.default is not MISSING}
    return replace(now, **(later | _with_parts(logged)))


def _with_parts(values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with recipes for parts; a part may have parts of its own."""
    if "parts" not in values:
        return values
    return values | {"parts": tuple((weight, _part(part)) for weight, part in values["parts"])}


def _parsed(text: str, like: Any) -> Any:
    """Return a logged value as the type of the field's value now."""
    if isinstance(like, bool):
        return text == "True"
    if isinstance(like, tuple):
        return tuple(json.loads(text))
    return type(like)(text)


# the recipe that does best on a layout's data (recsys_jobs/data/readers), where that was measured
_BEST = {
    "split_file": "ease_kernel_sage",
    "sequences": "sequence_sage",
    "csv_folder": "sage_fm",
    "movielens": "sage_fm",
    "lake": "recent_sage",
}


def best_recipe(layout: str) -> str:
    """Return the name of the best recipe that is known for data of this layout."""
    return _BEST[layout]
