"""The table `embeddings`: one vector for each encoder and content.

Writing and reading are linear: neither a commit nor a batch read costs more because the table is large.

Shapes: N contents, D width of a vector.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import EMBEDDINGS
from recsys_jobs.lake import delta

# A commit is due at the first of these: what a killed job loses is at most this, and the chunk that it was at.
COMMIT_BYTES = 96 << 20  # a file of Delta's own size, 60,000 vectors of 384 numbers
COMMIT_SECONDS = 60.0


def load_vectors(encoder: str, hashes: list[str], lake_folder: Path | None = None) -> np.ndarray:
    """The vectors [N, D], float32, of these content hashes in this order; [0, 0] for no hashes.

    One pass over the encoder's partition, a record batch at a time. JobError where a hash has no vector.
    """
    position = {content_hash: row for row, content_hash in enumerate(dict.fromkeys(hashes))}
    vectors: np.ndarray | None = None
    is_found = np.zeros(len(position), dtype=bool)
    for batch in _scan(encoder, delta.Files(), lake_folder, ["content_hash", "vector"]) if hashes else ():
        index = np.fromiter((position.get(hash_, -1) for hash_ in batch["content_hash"].to_pylist()), np.int64)
        is_requested = index >= 0
        rows = _matrix(batch["vector"].filter(pa.array(is_requested)))
        if not len(rows):
            continue
        if vectors is None:
            vectors = np.empty((len(position), rows.shape[1]), dtype=np.float32)
        vectors[index[is_requested]], is_found[index[is_requested]] = rows, True
    if not is_found.all():
        raise JobError(
            f"embeddings lacks {len(is_found) - int(is_found.sum()):,} of {len(is_found):,} vectors of {encoder}, "
            f"{list(position)[int(np.argmin(is_found))]} among them: run recsys_jobs.embed for this date first"
        )
    if vectors is None:
        return np.zeros((0, 0), dtype=np.float32)
    return vectors[[position[content_hash] for content_hash in hashes]]


class VectorWriter:
    """Adds vectors of one encoder to the table, many chunks to a commit.

    `seen` are the table's files from before the caller looked up which hashes have no vector. Of what other writers
    commit after that each new file is read once, and the hashes found in it are left out.
    """

    def __init__(self, encoder: str, seen: delta.Files, lake_folder: Path | None = None) -> None:
        self.encoder = encoder
        self._seen, self._lake_folder = seen, lake_folder
        self._added_by_others: set[str] = set()
        self._pending: list[pa.Table] = []
        self._pending_bytes, self._committed_at = 0, time.monotonic()

    def add(self, hashes: list[str], vectors_ND: np.ndarray) -> None:
        """Take in a chunk, for the next commit; a hash may come once in a writer's life."""
        rows = _rows(hashes, vectors_ND)
        self._pending.append(rows)
        self._pending_bytes += rows.nbytes

    def is_due(self) -> bool:
        """Whether enough was taken in, or enough time has passed, for a commit."""
        return self._pending_bytes >= COMMIT_BYTES or time.monotonic() - self._committed_at >= COMMIT_SECONDS

    def commit(self) -> int:
        """Add what was taken in, in one commit, or in none if nothing is new; return how many rows were added.

        The lock covers the look-up and the write: two dates that embed at once may need the same content, and
        Delta does not refuse two appends at once.
        """
        if not self._pending:
            return 0
        rows = pa.concat_tables(self._pending)
        with delta.writer_lock("embeddings", self._lake_folder):
            rows = rows.filter(pa.array(self._are_new(rows["content_hash"].to_pylist()), pa.bool_()))
            if rows.num_rows:
                encoder_column = pa.repeat(self.encoder, rows.num_rows)
                delta.append(EMBEDDINGS, rows.append_column("encoder", encoder_column), self._lake_folder)
            self._seen = delta.files(EMBEDDINGS, self._lake_folder)
        self._pending, self._pending_bytes, self._committed_at = [], 0, time.monotonic()
        return rows.num_rows

    def _are_new(self, hashes: list[str]) -> list[bool]:
        """Which of these hashes no other writer has added since this one looked.

        What others added is remembered: a later chunk may want what was there at an earlier commit.
        """
        for batch in _scan(self.encoder, self._seen, self._lake_folder, ["content_hash"]):
            self._added_by_others.update(batch["content_hash"].to_pylist())
        return [content_hash not in self._added_by_others for content_hash in hashes]


def append_new(encoder: str, hashes: list[str], vectors_ND: np.ndarray, lake_folder: Path | None = None) -> int:
    """Add vectors in one commit, leaving out the hashes that have one; return how many were added.

    It looks through all hashes of the encoder: for many chunks take one VectorWriter.
    """
    writer = VectorWriter(encoder, delta.Files(), lake_folder)
    writer.add(hashes, vectors_ND)
    return writer.commit()


def known_hashes(encoder: str, hashes: list[str], lake_folder: Path | None = None) -> set[str]:
    """Which of these hashes have a vector; one pass over the encoder's hashes."""
    requested = set(hashes)
    known: set[str] = set()
    for batch in _scan(encoder, delta.Files(), lake_folder, ["content_hash"]):
        known |= requested.intersection(batch["content_hash"].to_pylist())
    return known


def _scan(encoder: str, seen: delta.Files, lake_folder: Path | None, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The encoder's rows in files that were not `seen`."""
    of_encoder = pc.field("encoder") == encoder
    yield from delta.scan_added(EMBEDDINGS, seen, lake_folder).to_batches(filter=of_encoder, columns=columns)


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


def _rows(hashes: list[str], vectors_ND: np.ndarray) -> pa.Table:
    count, width = vectors_ND.shape
    numbers = np.ascontiguousarray(vectors_ND, dtype=np.float32).reshape(-1)
    offsets = np.arange(count + 1, dtype=np.int32) * width
    vectors = pa.ListArray.from_arrays(pa.array(offsets), pa.array(numbers))
    return pa.table({"content_hash": pa.array(hashes, pa.string()), "vector": vectors})
