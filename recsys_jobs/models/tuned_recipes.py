"""Recipes that a search found: a JSON file each in the lake's folder, named after what it says. Standard library only.

Nights, challenges and bake-offs ask for one by its name, like for any other. The name ends in a hash of every value, so
that a file that was changed by hand is refused: what was confirmed under a name is what is fitted under it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import lake_root
from recsys_jobs.training.recipe import Recipe

_MARK = "-tuned-"
_NAME = re.compile(rf"[a-z0-9_]+{_MARK}[0-9a-f]{{8}}")


def is_tuned(name: str) -> bool:
    """Whether the name is one that `keep` gives."""
    return _NAME.fullmatch(name) is not None


def root(name: str) -> str:
    """The name of the recipe that a search began with; any other name is its own."""
    return name.partition(_MARK)[0]


def keep(found: Recipe) -> Recipe:
    """Write a variation of a recipe to the lake's folder; return it under the name that it has from now on."""
    values = dataclasses.asdict(found) | {"name": root(found.name)}
    name = _name(values)
    path = place(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(path)
    return dataclasses.replace(found, name=name)


def kept(name: str) -> dict[str, Any]:
    """The values that were kept under this name; UsageError where they are gone, or no longer what the name says."""
    path = place(name)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"unknown recipe {name!r}: {path} is not there; bring it back, or search again: recsys tune {root(name)}"
        ) from None
    except (ValueError, OSError) as error:
        raise UsageError(f"{path} cannot be read ({error}): search again: recsys tune {root(name)}") from None
    if not isinstance(values, dict) or _name(values) != name:
        raise UsageError(f"{path} was changed since it was measured: search again: recsys tune {root(name)}")
    return values


def place(name: str) -> Path:
    """The file of a tuned recipe."""
    return lake_root() / "tuned" / f"{name}.json"


def _name(values: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return f"{values.get('name')}{_MARK}{digest[:8]}"
