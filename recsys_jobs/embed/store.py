"""The table `embeddings`: one vector for each encoder and content.

Shapes: N contents, D width of a vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import EMBEDDINGS
from recsys_jobs.lake import delta


def load_vectors(encoder: str, hashes: list[str], lake_folder: Path | None = None) -> np.ndarray:
    """The vectors [N, D], float32, of these content hashes in this order; [0, 0] for no hashes.

    One pass over the encoder's partition, a record batch at a time. JobError where a hash has no vector.
    """
    requested = pa.array(hashes, pa.string()).dictionary_encode()
    distinct_hashes = requested.dictionary
    vectors: np.ndarray | None = None
    is_found = np.zeros(len(distinct_hashes), dtype=bool)
    for batch in _scan(encoder, lake_folder, ["content_hash", "vector"]) if hashes else ():
        position = pc.index_in(batch["content_hash"], distinct_hashes)
        is_requested = pc.is_valid(position)
        rows = _matrix(batch["vector"].filter(is_requested))
        if not len(rows):
            continue
        if vectors is None:
            vectors = np.empty((len(distinct_hashes), rows.shape[1]), dtype=np.float32)
        index = position.filter(is_requested).to_numpy(zero_copy_only=False)
        vectors[index], is_found[index] = rows, True
    if not is_found.all():
        raise JobError(
            f"embeddings lacks {len(is_found) - int(is_found.sum()):,} of {len(is_found):,} vectors of {encoder}, "
            f"{distinct_hashes[int(np.argmin(is_found))]} among them: run recsys_jobs.embed for this date first"
        )
    if vectors is None:
        return np.zeros((0, 0), dtype=np.float32)
    return vectors[requested.indices.to_numpy()]


def append_new(encoder: str, hashes: list[str], vectors_ND: np.ndarray, lake_folder: Path | None = None) -> int:
    """Add vectors in one commit, leaving out the hashes that have one by now; return how many were added.

    The lock covers the look-up and the write: two dates that embed at once may need the same content, and Delta
    does not refuse two appends at once.
    """
    with delta.writer_lock("embeddings", lake_folder):
        present = known_hashes(encoder, hashes, lake_folder)
        new = [row for row, content_hash in enumerate(hashes) if content_hash not in present]
        if new:
            rows = _rows(encoder, [hashes[row] for row in new], vectors_ND[new])
            delta.append(EMBEDDINGS, rows, lake_folder)
    return len(new)


def known_hashes(encoder: str, hashes: list[str], lake_folder: Path | None = None) -> set[str]:
    """Which of these hashes have a vector."""
    requested = pa.array(hashes, pa.string())
    known: set[str] = set()
    for batch in _scan(encoder, lake_folder, ["content_hash"]):
        column = batch["content_hash"]
        known.update(column.filter(pc.is_in(column, requested)).to_pylist())
    return known


def _scan(encoder: str, lake_folder: Path | None, columns: list[str]) -> Iterator[pa.RecordBatch]:
    delta_table = delta.open_table(EMBEDDINGS, lake_folder)
    if delta_table is not None:
        of_encoder = pc.field("encoder") == encoder
        yield from delta.dataset(delta_table).to_batches(filter=of_encoder, columns=columns)


def _matrix(vectors: pa.ListArray) -> np.ndarray:
    """A list column as a matrix [N, D], without a copy. JobError where its rows differ in width."""
    if not len(vectors):
        return np.zeros((0, 0), dtype=np.float32)
    flat = vectors.flatten().to_numpy(zero_copy_only=False)
    lengths = pc.list_value_length(vectors)
    widths = pc.min_max(lengths).as_py()
    if widths["min"] != widths["max"]:
        raise JobError(f"embeddings holds vectors of {widths['min']} and of {widths['max']} numbers for one encoder")
    return flat.reshape(len(vectors), -1)


def _rows(encoder: str, hashes: list[str], vectors_ND: np.ndarray) -> pa.Table:
    count, width = vectors_ND.shape
    numbers = np.ascontiguousarray(vectors_ND, dtype=np.float32).reshape(-1)
    offsets = np.arange(count + 1, dtype=np.int32) * width
    vectors = pa.ListArray.from_arrays(pa.array(offsets), pa.array(numbers))
    return pa.table({"encoder": [encoder] * count, "content_hash": hashes, "vector": vectors})
