"""Recipes by name: a run's whole configuration as a frozen dataclass that a plain function returns.

A folder of this package has in its `recipe.py` the dataclasses of its families, a function for each named
configuration, these as `RECIPES` by name, and `FAMILIES`: the module that fits and loads each family. Both are merged
here, so that a new folder costs one line. None of it imports more than the standard library.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.models.tuned_recipes import is_tuned, kept
from recsys_jobs.training.recipe import Recipe

FOLDERS = (
    "sage_fm",
    "sage_softmax",
    "sage_recent",
    "lightgcn",
    "sequence",
    "ncf",
    "attention",
    "closed_form",
    "slim",
    "recent",
    "blend",
)
_MODULES = [importlib.import_module(f"recsys_jobs.models.{folder}.recipe") for folder in FOLDERS]
RECIPES: dict[str, Callable[[], Recipe]] = {name: make for module in _MODULES for name, make in module.RECIPES.items()}
FAMILIES: dict[str, str] = {name: place for module in _MODULES for name, place in module.FAMILIES.items()}


def get_recipe(name: str) -> Recipe:
    """Return the recipe called `name`, one that a search found too; UsageError for an unknown one."""
    if is_tuned(name):
        return replace(_from_fields(kept(name)), name=name)
    if name not in RECIPES:
        raise UsageError(f"unknown recipe {name!r}: name one of {', '.join(sorted(RECIPES))}")
    return RECIPES[name]()


def restored(name: str, values: Mapping[str, str]) -> Recipe:
    """Return the recipe as it was when its fit logged these values: what its name means may have changed since."""
    current = get_recipe(name)
    logged = {field.name: values[field.name] for field in fields(current) if field.name in values}
    return _as_logged(current, {key: _parsed(text, getattr(current, key)) for key, text in logged.items()})


def _from_fields(values: Mapping[str, Any]) -> Recipe:
    """Return a recipe out of its fields as JSON gave them back: it knows lists where a recipe has tuples."""
    current = get_recipe(values["name"])
    known = {field.name for field in fields(current)}
    logged = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if key in known}
    return _as_logged(current, logged)


def _as_logged(current: Recipe, logged: dict[str, Any]) -> Recipe:
    """Return the recipe with what was logged; a field that came later is off, which is what its default says."""
    defaults = {field.name: field.default for field in fields(current) if field.default is not MISSING}
    return replace(current, **(defaults | _with_parts(logged)))


def _with_parts(values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with recipes for parts; a part may have parts of its own."""
    if "parts" not in values:
        return values
    return values | {"parts": tuple((weight, _from_fields(part)) for weight, part in values["parts"])}


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
