"""The parsed lines of a night's files, which Spark writes once; everything that follows reads them there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession

from spark import unify
from spark.lines import Source, read_lines

ROW_GROUP = 32 << 20  # bytes
PARSERS = {"reviews": unify.reviews, "items": unify.items}


@contextmanager
def workplace(lake: Path, step: str) -> Iterator[Path]:
    """Yield a folder beside the tables, for this step alone; remove what a killed one left there, too."""
    folder = lake / "_staging" / step
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stage(spark: SparkSession, kind: str, sources: list[Source], folder: Path) -> None:
    """Parse the sources once, into Parquet files in `folder`: every line, with its place and what is wrong with it."""
    parsed = PARSERS[kind](read_lines(spark, kind, sources))
    # small row groups: what one task wrote, of a gzip file, several threads may read
    parsed.write.option("compression", "lz4_raw").option("parquet.block.size", ROW_GROUP).parquet(str(folder))
