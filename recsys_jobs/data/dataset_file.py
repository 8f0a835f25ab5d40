"""A Dataset in one safetensors file, ids as JSON in it: how another process gets one without a pickle."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from recsys_jobs.data.dataset import Dataset


def save(dataset: Dataset, path: Path) -> None:
    """Write a dataset."""
    values = {field.name: getattr(dataset, field.name) for field in dataclasses.fields(dataset)}
    save_file({name: _array(value) for name, value in values.items()}, path)


def load(path: Path) -> Dataset:
    """Return the dataset that `save` wrote."""
    stored = load_file(path)
    kinds = {field.name: str(field.type) for field in dataclasses.fields(Dataset)}
    values: dict[str, Any] = {name: _value(stored[name], kind) for name, kind in kinds.items()}
    return Dataset(**values)


def _array(value: object) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value)
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def _value(array: np.ndarray, kind: str) -> object:
    return json.loads(array.tobytes()) if kind in ("list[str]", "int") else array
