"""The fingerprint of a model: its inputs, recipe, seed, the source of its family with all its imports, and pins.

Two fits of one fingerprint are one model: a repeated night finds it in MLflow and neither trains nor registers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from importlib.metadata import version
from typing import Any

from recsys_jobs.contracts.source_hash import sources_hash
from recsys_jobs.data.content_hash import content_hash
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.families import source_modules
from recsys_jobs.training.epochs import Epochs

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
