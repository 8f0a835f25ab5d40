"""Tensors of several parts in one flat mapping, under `part.name`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from torch import Tensor


def joined(parts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the tensors of all parts under `part.name`."""
    return {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}


def split(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return what `joined` joined: the tensors by the part that their name starts with. Empty parts are empty."""
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, tensor in tensors.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = tensor
    return parts
