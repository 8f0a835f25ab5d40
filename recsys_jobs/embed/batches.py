"""How contents become batches of fixed shapes, and batches become vectors.

A matrix product may sum in another order for another shape, so the same text in two batches of different
shapes can differ in its last bits. Here a text's length alone chooses the length of its batch, and each batch
has the same number of rows, the last one filled up: then company and order change nothing.

Shapes: N contents, B rows of a batch, L tokens, D width of a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from recsys_jobs.torch_common.devices import autocast

ROWS = {"cpu": 32, "cuda": 256}  # of a batch


def plan_batches(lengths: list[int], buckets: tuple[int, ...], rows: int) -> list[tuple[int, list[int]]]:
    """Deal contents of these lengths into batches: (length, positions), positions in the order they came in.

    Each length goes to the smallest bucket that holds it; a batch has at most `rows` positions.
    """
    members_by_bucket: dict[int, list[int]] = {bucket: [] for bucket in buckets}
    for position, length in enumerate(lengths):
        members_by_bucket[min(bucket for bucket in buckets if bucket >= length)].append(position)
    return [
        (bucket, members[start : start + rows])
        for bucket, members in members_by_bucket.items()
        for start in range(0, len(members), rows)
    ]


def run_batches(
    forward: Callable[..., Tensor],
    batches: Iterable[tuple[list[int], tuple[Tensor, ...]]],
    count: int,
    device: torch.device,
    precision: str,
) -> np.ndarray:
    """Encode batches of (positions, inputs [B, …]) and return the vectors [count, D] as float32.

    Rows of a batch beyond its positions are filling, and dropped. Results stay on the device until the end,
    so that a GPU never waits for a copy.
    """
    all_positions: list[int] = []
    parts: list[Tensor] = []
    with torch.inference_mode(), autocast(device, precision):
        for positions, inputs in batches:
            vectors_BD = forward(*(_to_device(tensor, device) for tensor in inputs))
            parts.append(vectors_BD[: len(positions)].float())
            all_positions += positions
    if not parts:
        return np.zeros((0, 0), dtype=np.float32)
    vectors_ND = np.empty((count, parts[0].shape[1]), dtype=np.float32)
    vectors_ND[all_positions] = torch.cat(parts).cpu().numpy()
    return vectors_ND


def prefetch(batches: Iterator[tuple[list[int], tuple[Tensor, ...]]]) -> Iterator[tuple[list[int], tuple[Tensor, ...]]]:
    """The same batches, each prepared in a second thread while the one before is encoded."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=1) as worker:
        upcoming = worker.submit(next, batches, None)
        while (batch := upcoming.result()) is not None:
            upcoming = worker.submit(next, batches, None)
            yield batch


def _to_device(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)
