"""Tensors of several parts in one flat mapping, under `part.name`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from torch import Tensor


def join_parts(parts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the tensors of all parts under `part.name`."""
    joined: dict[str, Tensor] = {}
    for part, tensors in parts.items():
        for name, tensor in tensors.items():
            joined[f"{part}.{name}"] = tensor
    return joined


def split_parts(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Undo `join_parts`: return the tensors by the part that their name starts with. Empty parts are empty."""
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, tensor in tensors.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = tensor
    return parts
