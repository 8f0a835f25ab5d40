"""Ingest beside a bare Spark read-JSON-write-Delta of the same file, in one warm session.

    python benchmarks/ingest.py [--mb 200] [--plain] [--reviews FILE]

The file is made of real reviews, repeated under new user ids until it has the size asked for. Both sides read the
whole file and write one Delta table; ingest fingerprints, checks, hashes, de-duplicates and accounts besides. The
gates are left out on both sides: they cost the same whatever the size of the file.
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
from pathlib import Path

from pyspark.sql import SparkSession

from recsys_jobs.errors import UsageError, run_main
from recsys_jobs.settings import ROOT, Settings
from spark.ingest import ingest
from spark.session import get_spark

MUSIC = "landing/amazon2014_digital_music/reviews/reviews_Digital_Music_5.json.gz"
SCHEMA = (
    "reviewerID STRING, asin STRING, reviewerName STRING, reviewText STRING, overall DOUBLE, summary STRING, "
    "unixReviewTime BIGINT, reviewTime STRING"
)


def main() -> None:
    """Print one line a side: megabytes, seconds, MB/s, and the ratio of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=200, help="size of the text in megabytes (default 200)")
    parser.add_argument("--plain", action="store_true", help="not gzipped: Spark may split the file")
    parser.add_argument("--reviews", type=Path, default=_shared() / MUSIC, help="real reviews in the format of 2014")
    args = parser.parse_args()
    if not args.reviews.is_file():
        raise UsageError(f"no reviews at {args.reviews}: name a file of Amazon's 2014 format with --reviews")
    spark = get_spark("benchmark")
    with tempfile.TemporaryDirectory() as folder:
        run(spark, Path(folder), args.reviews, args.mb, ".json" if args.plain else ".json.gz")


def run(spark: SparkSession, folder: Path, reviews: Path, mb: int, ending: str) -> None:
    """Warm both sides up on a small file, then measure them on the large one."""
    small, large = (folder / size / "shop" / "reviews" / f"reviews{ending}" for size in ("small", "large"))
    _repeat(reviews, small, 5)
    size = _repeat(reviews, large, mb) / 1e6
    for file in (small, large):
        bare = _seconds(lambda file=file: _bare(spark, file, folder / "bare" / file.parts[-4]))  # type: ignore[misc]
        ours = _seconds(lambda file=file: _ours(spark, file, folder / "lake" / file.parts[-4]))  # type: ignore[misc]
    print(f"{'':8}{'MB':>8}{'seconds':>10}{'MB/s':>8}")
    print(f"{'bare':8}{size:8.0f}{bare:10.1f}{size / bare:8.1f}")
    print(f"{'ingest':8}{size:8.0f}{ours:10.1f}{size / ours:8.1f}")
    print(
        f"ratio {bare / ours:.2f} on a {ending} file; "
        f"peak memory: JVM {_jvm_peak(spark):,} MB, Python {_python_peak():,} MB"
    )


def _bare(spark: SparkSession, file: Path, target: Path) -> None:
    spark.read.schema(SCHEMA).json(str(file)).write.format("delta").save(str(target))


def _ours(spark: SparkSession, file: Path, lake: Path) -> None:
    landing = file.parents[2]
    ingest(spark, date(2026, 1, 1), Settings(), landing=landing, lake=lake, gate=lambda *_: None)


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _repeat(source: Path, target: Path, mb: int) -> int:
    """Write `mb` megabytes of text, every round under user ids of its own; returns its bytes."""
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
    """Peak resident memory of the driver's JVM, in megabytes."""
    process = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()  # type: ignore[union-attr]
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1000


def _python_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def _shared() -> Path:
    return Path(os.environ.get("RECSYS_SHARED_DATA") or ROOT.parent / "shared" / "data")


if __name__ == "__main__":
    run_main(main)
