"""What makes two fits the same model: inputs, recipe, seed, the sources that fitting imports, pins.

Same fingerprint, same model: a repeated night finds it in MLflow and neither trains nor registers.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from recsys_jobs.dataset import Dataset
from recsys_jobs.epochs import Epochs
from recsys_jobs.families import source_modules
from recsys_jobs.settings import ROOT

_PINS = ("torch", "numpy")
_LENGTH = 16  # hex digits: 64 bits, for at most millions of models


def model_fingerprint(dataset: Dataset, recipe: Any, seed: int, epochs: Epochs | None) -> str:
    """The identity of the model that this fit would give; `epochs` is None for an exam fit."""
    parts = {
        "inputs": content_hash(dataset),
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
        "epochs": epochs,
        "sources": [sources_hash(module) for module in source_modules(recipe)],
        "pins": {name: version(name) for name in _PINS},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:_LENGTH]


def content_hash(dataset: Dataset) -> str:
    """sha256 of everything the dataset holds, names of the fields included."""
    digest = hashlib.sha256()
    for field in dataclasses.fields(dataset):
        digest.update(field.name.encode())
        value = getattr(dataset, field.name)
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).data)
        else:
            digest.update(json.dumps(value).encode())
    return digest.hexdigest()


@cache
def sources_hash(module: str) -> str:
    """sha256 of the source of `module` and of everything it imports from this package."""
    digest = hashlib.sha256()
    for path in sorted(_closure(_path(module))):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _closure(start: Path) -> set[Path]:
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += [found for name in _imports(path) if (found := _find(name))]
    return seen


def _imports(path: Path) -> set[str]:
    """Every module name that the file's imports may mean, at the top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "recsys_jobs"}


def _find(name: str) -> Path | None:
    path = _path(name)
    return path if path.is_file() else None


def _path(name: str) -> Path:
    base = ROOT.joinpath(*name.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
