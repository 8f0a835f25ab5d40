"""The loop both encoders are trained by: AdamW, warm-up and linear decay, clipped gradients, a line of progress."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.torch_common.devices import autocast, deterministic, mixed_precision

Trained = TypeVar("Trained", bound=nn.Module)
Batches = Callable[[np.random.Generator], Iterator[tuple[Any, ...]]]  # one pass over the data


@dataclass(frozen=True)
class Schedule:
    """How long and how fast."""

    passes: int
    per_pass: int
    rate: float
    weight_decay: float
    warmup: float  # share of all steps

    def factor(self, step: int) -> float:
        """Return what the rate of a step, from 0, is multiplied by."""
        total = self.passes * self.per_pass
        warm = max(1, math.ceil(total * self.warmup))
        return min((step + 1) / warm, max(0.0, (total - step) / max(1, total - warm + 1)))


def train_module(
    build: Callable[[], Trained],
    batches: Batches,
    schedule: Schedule,
    *,
    seed: int,
    device: torch.device,
    on_step: Callable[[dict[str, float]], None] | None = None,
) -> Trained:
    """Return the module that `build` makes, trained on the sum of the losses that it names; equal calls, equal bits.

    `on_step` gets each step's losses. JobError where a loss is not finite.
    """
    random = np.random.default_rng(seed)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), deterministic(device):
        torch.manual_seed(seed)
        module = build().train()
        optimizer = torch.optim.AdamW(module.parameters(), lr=schedule.rate, weight_decay=schedule.weight_decay)
        with tqdm(
            total=schedule.passes * schedule.per_pass, desc=type(module).__name__, unit="step", mininterval=5
        ) as progress:
            for _ in range(schedule.passes):
                for batch in batches(random):
                    for group in optimizer.param_groups:
                        group["lr"] = schedule.rate * schedule.factor(int(progress.n))
                    step_losses = _train_step(module, optimizer, _to_device(batch, device), device)
                    progress.set_postfix({name: f"{value:.3f}" for name, value in step_losses.items()}, refresh=False)
                    progress.update()
                    if on_step:
                        on_step(step_losses)
    return module.eval()


def _train_step(
    module: nn.Module, optimizer: torch.optim.Optimizer, batch: Any, device: torch.device
) -> dict[str, float]:
    """One step; bfloat16 where the device has it, for float16 would need its gradients scaled."""
    precision = mixed_precision(device, "auto")
    with autocast(device, precision if precision != "float16" else "float32"):
        losses_by_name: dict[str, Tensor] = module(*batch)
    loss = torch.stack([value.float() for value in losses_by_name.values()]).sum()
    if not bool(loss.isfinite()):
        raise JobError(f"{type(module).__name__}: the loss is not finite: lower the learning rate")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()
    return {name: value.item() for name, value in losses_by_name.items()}


def _to_device(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    return tuple(_to_device(part, device) for part in batch) if isinstance(batch, tuple) else batch
