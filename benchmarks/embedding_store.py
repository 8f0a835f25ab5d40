"""The store of vectors at the size of a large shop, beside one bare write of the same rows.

`python -m benchmarks.embedding_store [--rows N] [--width N] [--chunk N] [--sample N]`. Hashes and vectors are random;
making them is not timed, on either side. Rows are added by chunk, as the step does it, but with no encoder between.
If that is linear, a row of the last commits takes as long as one of the first. Then the look-up of what is missing,
where a tenth more contents are needed than there are, and the vectors of a sample. Peak memory is that of the process
so far.

N rows, D width of a vector.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from recsys_jobs.contracts.tables import EMBEDDINGS
from recsys_jobs.embed import needed
from recsys_jobs.embed.store import VectorWriter, load_vectors
from recsys_jobs.lake import delta

ENCODER = "benchmark/random"


class Rows:
    """Random rows by chunk, the same ones at each pass; `seconds` is what making them took."""

    def __init__(self, rows: int, width: int, chunk: int) -> None:
        self.rows, self.width, self.chunk = rows, width, chunk
        self.seconds = 0.0

    def chunks(self) -> Iterator[tuple[list[str], np.ndarray]]:
        """Yield hashes and vectors [N, D] of each chunk."""
        began = time.perf_counter()
        for number, hashes in enumerate(self.hashes()):
            vectors_ND = np.random.default_rng(number).standard_normal((len(hashes), self.width), np.float32)
            self.seconds += time.perf_counter() - began
            yield hashes, vectors_ND
            began = time.perf_counter()

    def hashes(self) -> Iterator[list[str]]:
        """Yield the hashes of each chunk."""
        random = np.random.default_rng(self.rows)
        for start in range(0, self.rows, self.chunk):
            yield random_hashes(random, min(self.chunk, self.rows - start))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the chunks as record batches of the table."""
        schema = delta.arrow_schema(EMBEDDINGS)
        for hashes, vectors_ND in self.chunks():
            offsets = np.arange(len(hashes) + 1, dtype=np.int32) * self.width
            vectors = pa.ListArray.from_arrays(pa.array(offsets), pa.array(vectors_ND.reshape(-1)))
            yield pa.record_batch([pa.repeat(ENCODER, len(hashes)), pa.array(hashes), vectors], schema=schema)


def random_hashes(random: np.random.Generator, count: int) -> list[str]:
    """Return hashes as sha256 writes them."""
    text = random.bytes(32 * count).hex()
    return [text[start : start + 64] for start in range(0, len(text), 64)]


def append(rows: Rows) -> np.ndarray:
    """Add all rows as the step does; return the rows and seconds of each commit, its chunks included [commits, 2]."""
    writer = VectorWriter(ENCODER, delta.files(EMBEDDINGS))
    commits: list[tuple[int, float]] = []
    took = 0.0
    for hashes, vectors_ND in rows.chunks():
        began = time.perf_counter()
        writer.add(hashes, vectors_ND)
        added = writer.commit() if writer.is_due() else 0
        took += time.perf_counter() - began
        if added:
            commits.append((added, took))
            took = 0.0
    began = time.perf_counter()
    added = writer.commit()
    return np.array([*commits, (added, took + time.perf_counter() - began)])


def count_missing(rows: Rows) -> float:
    """Look up what is missing of all rows and a tenth more; return the seconds."""
    absent = random_hashes(np.random.default_rng(rows.rows + 1), rows.rows // 10)
    with needed.open_tables() as tables:
        tables.execute("CREATE TEMP TABLE needed (content_hash VARCHAR)")
        for hashes in itertools.chain([absent], rows.hashes()):
            tables.register("more", pa.table({"content_hash": hashes}))
            tables.execute("INSERT INTO needed FROM more")
        began = time.perf_counter()
        missing = needed.count_missing(tables, ENCODER)
        took = time.perf_counter() - began
    assert missing == len(absent)
    return took


def load_sample(rows: Rows, sample: int) -> float:
    """Load the vectors of `sample` contents from all over the table; return the seconds."""
    per_chunk = max(1, sample * rows.chunk // rows.rows)
    hashes = [content_hash for hashes in rows.hashes() for content_hash in hashes[:per_chunk]][:sample]
    return seconds(lambda: load_vectors(ENCODER, hashes))


def write_bare(rows: Rows, folder: Path) -> float:
    """Write all rows in one commit, without a look-up; return the seconds, less those of making the rows."""
    reader = pa.RecordBatchReader.from_batches(delta.arrow_schema(EMBEDDINGS), rows.batches())
    making_before = rows.seconds
    took = seconds(lambda: write_deltalake(folder, reader, partition_by=["encoder"]))
    return took - (rows.seconds - making_before)


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def report(what: str, took: float, note: str = "") -> None:
    """Print a line of the table."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{what:32}{took:8.1f} s   peak memory {peak:.2f} GB{note and '   '}{note}", flush=True)


def run(rows: Rows, sample: int, folder: Path) -> None:
    """Time each part in a lake of its own under `folder`."""
    os.environ.update(RECSYS_LAKE=str(folder / "lake"), RECSYS_VAR=str(folder / "var"))
    commits = append(rows)
    total = float(commits[:, 1].sum())
    stored = delta.files(EMBEDDINGS)
    report("append by chunk", total, f"{stored.version + 1} commits, {len(stored.paths)} files")
    tenth = -(-len(commits) // 10)
    first, last = _per_million(commits[:tenth]), _per_million(commits[-tenth:])
    print(f"  a million rows: {first:.1f} s in the first tenth, {last:.1f} s in the last, ratio {last / first:.2f}")
    report("look up what is missing", count_missing(rows))
    report(f"load {sample:,} vectors", load_sample(rows, sample))
    bare = write_bare(rows, folder / "bare")
    report("one bare write", bare, f"append by chunk is {total / bare:.2f} times that")


def _per_million(commits: np.ndarray) -> float:
    rows, took = commits.sum(axis=0)
    return float(took / rows * 1e6)


def main() -> None:
    """Print a table of times, memory, commits and files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in (("--rows", 10_000_000), ("--width", 64), ("--chunk", 2048), ("--sample", 100_000)):
        parser.add_argument(name, type=int, default=number)
    args = parser.parse_args()
    print(f"{args.rows:,} vectors of {args.width} numbers, {args.chunk:,} a chunk")
    with tempfile.TemporaryDirectory() as folder:
        run(Rows(args.rows, args.width, args.chunk), args.sample, Path(folder))


if __name__ == "__main__":
    main()
