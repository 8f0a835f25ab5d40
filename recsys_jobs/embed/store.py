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
    asked = pa.array(hashes, pa.string()).dictionary_encode()
    wanted = asked.dictionary
    vectors: np.ndarray | None = None
    found = np.zeros(len(wanted), dtype=bool)
    for batch in _scan(encoder, lake_folder, ["content_hash", "vector"]) if hashes else ():
        places = pc.index_in(batch["content_hash"], wanted)
        kept = pc.is_valid(places)
        rows = _matrix(batch["vector"].filter(kept))
        if not len(rows):
            continue
        if vectors is None:
            vectors = np.empty((len(wanted), rows.shape[1]), dtype=np.float32)
        index = places.filter(kept).to_numpy(zero_copy_only=False)
        vectors[index], found[index] = rows, True
    if not found.all():
        raise JobError(
            f"embeddings lacks {len(found) - int(found.sum()):,} of {len(found):,} vectors of {encoder}, "
            f"{wanted[int(np.argmin(found))]} among them: run recsys_jobs.embed for this date first"
        )
    if vectors is None:
        return np.zeros((0, 0), dtype=np.float32)
    return vectors[asked.indices.to_numpy()]


def append_new(encoder: str, hashes: list[str], vectors_ND: np.ndarray, lake_folder: Path | None = None) -> int:
    """Add vectors in one commit, leaving out the hashes that have one by now; return how many were added.

    Alone between looking and writing: two dates that embed at once may need the same content, and Delta does
    not refuse two appends at once.
    """
    with delta.writer_lock("embeddings", lake_folder):
        present = known_hashes(encoder, hashes, lake_folder)
        new = [row for row, content in enumerate(hashes) if content not in present]
        if new:
            delta.append(EMBEDDINGS, _rows(encoder, [hashes[row] for row in new], vectors_ND[new]), lake_folder)
    return len(new)


def known_hashes(encoder: str, hashes: list[str], lake_folder: Path | None = None) -> set[str]:
    """Which of these hashes have a vector."""
    wanted = pa.array(hashes, pa.string())
    found: set[str] = set()
    for batch in _scan(encoder, lake_folder, ["content_hash"]):
        column = batch["content_hash"]
        found.update(column.filter(pc.is_in(column, wanted)).to_pylist())
    return found


def _scan(encoder: str, lake_folder: Path | None, columns: list[str]) -> Iterator[pa.RecordBatch]:
    delta_table = delta.open_table(EMBEDDINGS, lake_folder)
    if delta_table is not None:
        yield from delta.dataset(delta_table).to_batches(filter=pc.field("encoder") == encoder, columns=columns)


def _matrix(vectors: pa.ListArray) -> np.ndarray:
    """A list column as a matrix [N, D], without a copy. JobError where its rows differ in width."""
    if not len(vectors):
        return np.zeros((0, 0), dtype=np.float32)
    flat = vectors.flatten().to_numpy(zero_copy_only=False)
    widths = pc.min_max(pc.list_value_length(vectors)).as_py()
    if widths["min"] != widths["max"]:
        raise JobError(f"embeddings holds vectors of {widths['min']} and of {widths['max']} numbers for one encoder")
    return flat.reshape(len(vectors), -1)


def _rows(encoder: str, hashes: list[str], vectors_ND: np.ndarray) -> pa.Table:
    count, width = vectors_ND.shape
    flat = pa.array(np.ascontiguousarray(vectors_ND, dtype=np.float32).reshape(-1))
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * width)
    columns = {"encoder": [encoder] * count, "content_hash": hashes}
    return pa.table({**columns, "vector": pa.ListArray.from_arrays(offsets, flat)})
