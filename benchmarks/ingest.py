"""Ingest beside a bare Spark read-JSON-write-Delta of the same file, in one warm session.

    python benchmarks/ingest.py [--mb 200] [--rounds 3] [--plain] [--reviews FILE]

The file is made of real reviews, repeated under new user ids until it has the size asked for. Both sides take turns,
and the best of each counts: the first rounds warm the session up. Each reads the whole file and writes one new table;
ingest fingerprints, checks, hashes, de-duplicates and accounts besides. The gates are left out: they are not reading.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession

from recsys_jobs.contracts.errors import UsageError, run_main
from recsys_jobs.contracts.settings import ROOT, Settings
from spark.ingest import ingest
from spark.session import get_spark

MUSIC = "landing/amazon2014_digital_music/reviews/reviews_Digital_Music_5.json.gz"
SCHEMA = (
    "reviewerID STRING, asin STRING, reviewerName STRING, reviewText STRING, overall DOUBLE, summary STRING, "
    "unixReviewTime BIGINT, reviewTime STRING"
)


def main() -> None:
    """Print one line a round: megabytes of text a second on each side, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=200, help="size of the text in megabytes (default 200)")
    parser.add_argument("--rounds", type=int, default=3, help="turns each side takes (default 3)")
    parser.add_argument("--plain", action="store_true", help="not gzipped: Spark may split the file")
    parser.add_argument("--reviews", type=Path, default=_shared() / MUSIC, help="real reviews in the format of 2014")
    args = parser.parse_args()
    if not args.reviews.is_file():
        raise UsageError(f"no reviews at {args.reviews}: name a file of Amazon's 2014 format with --reviews")
    spark = get_spark("benchmark")
    with tempfile.TemporaryDirectory() as folder:
        suffix = ".json" if args.plain else ".json.gz"
        file = Path(folder) / "landing" / "shop" / "reviews" / f"reviews{suffix}"
        size = _write_repeated(args.reviews, file, args.mb) / 1e6
        run(spark, Path(folder), file, size, args.rounds)


def run(spark: SparkSession, folder: Path, file: Path, size: float, rounds: int) -> None:
    """Let both sides read `file`, of `size` megabytes of text, `rounds` times each."""
    print(f"{'MB/s':8}{'bare':>8}{'ingest':>8}{'ratio':>8}", flush=True)
    best_bare, best_ours = 0.0, 0.0
    for number in range(1, rounds + 1):
        bare = size / _seconds(partial(_read_and_write, spark, file, folder / f"bare{number}"))
        ours = size / _seconds(partial(_ingest, spark, file, folder / f"lake{number}"))
        best_bare, best_ours = max(best_bare, bare), max(best_ours, ours)
        print(f"round {number} {bare:8.1f}{ours:8.1f}{ours / bare:8.2f}", flush=True)
    print(f"{'best':8}{best_bare:8.1f}{best_ours:8.1f}{best_ours / best_bare:8.2f}")
    memory = f"JVM {_jvm_peak(spark):,} MB, Python {_python_peak():,} MB"
    print(f"{size:.0f} MB of text in {file.name}; peak memory: {memory}")


def _read_and_write(spark: SparkSession, file: Path, target: Path) -> None:
    spark.read.schema(SCHEMA).json(str(file)).write.format("delta").save(str(target))


def _ingest(spark: SparkSession, file: Path, lake: Path) -> None:
    landing = file.parents[2]
    ingest(lambda: spark, date(2026, 1, 1), Settings(), landing=landing, lake=lake, gate=lambda *_: None)


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _write_repeated(source: Path, target: Path, mb: int) -> int:
    """Write `mb` megabytes of text, every round under user ids of its own; return its bytes."""
    target.parent.mkdir(parents=True)
    written = 0
    with gzip.open(target, "wb", compresslevel=6) if target.suffix == ".gz" else target.open("wb") as file:
        for line in _rounds(source):
            written += file.write(line)
            if written >= mb * 1_000_000:
                return written
    return written


def _rounds(source: Path) -> Iterator[bytes]:
    with gzip.open(source, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    number = 0
    while True:
        for row in rows:
            yield json.dumps(row | {"reviewerID": f"{row['reviewerID']}_{number}"}).encode() + b"\n"
        number += 1


def _jvm_peak(spark: SparkSession) -> int:
    """Return the peak resident memory of the driver's JVM, in megabytes."""
    process = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()  # type: ignore[union-attr]
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1000


def _python_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def _shared() -> Path:
    return Path(os.environ.get("RECSYS_SHARED_DATA") or ROOT.parent / "shared" / "data")


if __name__ == "__main__":
    run_main(main)
