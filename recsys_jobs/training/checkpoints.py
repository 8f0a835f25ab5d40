"""A training's state in one safetensors file, its numbers as JSON in the header: no pickle.

One file, replaced at once, so that a kill at any moment leaves the old state or the new one.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

log = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """Tensors by name, and everything that is no tensor (JSON types only)."""

    tensors: dict[str, Tensor]
    numbers: dict[str, Any]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write the state over the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    save_file(tensors, partial, metadata={"numbers": json.dumps(checkpoint.numbers)})
    partial.replace(path)


def load(path: Path, identity: str) -> Checkpoint | None:
    """Return the state that a training of this identity left behind, or None.

    The file of another training, or a broken one, is reported and left to be overwritten: losing
    some epochs is no reason to stop a night.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            numbers = json.loads((file.metadata() or {}).get("numbers", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        log.warning("checkpoint %s cannot be read (%s): training starts anew", path, error)
        return None
    if numbers.get("identity") != identity:
        log.warning("checkpoint %s is of another training: training starts anew", path)
        return None
    return Checkpoint(tensors, numbers)


def part_path(path: Path, number: int) -> Path:
    """Return where a part's own training is kept, of a model of several."""
    return path.with_name(f"{path.name}.{number}")


def remove(path: Path) -> None:
    """Remove the state of a training, and of its parts, whose model is safe elsewhere."""
    for file in [path, *path.parent.glob(f"{path.name}.*")]:
        file.unlink(missing_ok=True)
