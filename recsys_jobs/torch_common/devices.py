"""Where torch runs and in which precision: the one place that reads `RECSYS_DEVICE`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from numpy.typing import NDArray

from recsys_jobs.contracts.errors import UsageError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device() -> torch.device:
    """The device that `RECSYS_DEVICE` asks for: `auto` (the default: cuda where there is one), `cpu` or `cuda`.

    Raises UsageError for another value, and for `cuda` on a machine without one.
    """
    name = os.environ.get("RECSYS_DEVICE") or "auto"
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"RECSYS_DEVICE is {name!r}: write auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("RECSYS_DEVICE is cuda, but torch sees no CUDA device here: write cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def use_all_cores() -> None:
    """Let torch use every core this process may run on, unless `OMP_NUM_THREADS` says otherwise."""
    if not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(len(os.sched_getaffinity(0)))


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Mixed precision on `device`; does nothing for `float32`. UsageError for an unknown precision."""
    if precision not in PRECISIONS:
        raise UsageError(f"precision is {precision!r}: write one of {', '.join(PRECISIONS)}")
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=PRECISIONS[precision])


def mixed_precision(device: torch.device, setting: str) -> str:
    """The precision that a recipe's `mixed_precision` means here: `auto` (on cuda only), `bfloat16` or `off`."""
    if setting == "bfloat16":
        return "bfloat16"
    if setting == "off" or device.type != "cuda":
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def to_device(values: NDArray[Any], device: torch.device) -> torch.Tensor:
    """Copy a batch's arrays; from pinned memory, without waiting, where there is a GPU."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Use deterministic algorithms alone; on cuda, where a sparse product has none, torch warns instead."""
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    warned_only = torch.is_deterministic_algorithms_warn_only_enabled()
    memory_settings: Any = torch.utils.deterministic
    fills_memory = memory_settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    memory_settings.fill_uninitialized_memory = False  # a third of an epoch went into filling new memory
    try:
        yield
    finally:
        memory_settings.fill_uninitialized_memory = fills_memory
        torch.use_deterministic_algorithms(was_deterministic, warn_only=warned_only)
