"""The parsed lines of a night's files, written once; everything that follows reads them there."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from recsys_jobs.contracts.tables import QUARANTINE
from spark import unify
from spark.dump_shape import describe_line
from spark.lines import Source, read_lines
from spark.quarantine_reasons import INVALID_JSON, MAX_RAW

ROW_GROUP = 32 << 20  # bytes
PARSERS = {"reviews": unify.reviews, "items": unify.items}


@dataclass
class Tally:
    """One file's lines: all of them, the blank ones, and the rejected ones by reason."""

    lines: int = 0
    blank: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    first_rejected: int = 0  # line number
    first_problem: str = ""  # what is wrong there; empty where no description fits

    @property
    def read(self) -> int:
        """Lines that are not blank."""
        return self.lines - self.blank

    @property
    def quarantined(self) -> int:
        return self.rejected.total()


@dataclass(frozen=True)
class Staged:
    """The staged lines of one kind of file, and where each block of each file begins."""

    lines: DataFrame
    blocks: DataFrame  # file, block, first (seq), before (lines of the file in earlier blocks)
    tallies: dict[int, Tally]  # by file number

    def good(self, files: list[int]) -> DataFrame:
        """The sound rows of these files."""
        return self.lines.where(F.col("reason").isNull() & ~F.col("is_blank") & F.col("file").isin(files))

    def rejected(self, files: list[int]) -> DataFrame:
        """The rejected lines of these files, each with its `position` in the file."""
        bad = self.lines.where(F.col("reason").isNotNull() & F.col("file").isin(files))
        placed = bad.join(F.broadcast(self.blocks), ["file", "block"])
        return placed.withColumn("position", F.col("seq") - F.col("first") + F.col("before") + 1)


@contextmanager
def workplace(lake: Path) -> Iterator[Path]:
    """Yield a folder beside the tables, for this night alone; remove what a killed night left there, too."""
    folder = lake / "_staging" / "ingest"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stage(spark: SparkSession, kind: str, sources: list[Source], folder: Path) -> Staged:
    """Parse the sources once; count their lines: sound, blank, rejected."""
    path = str(folder / kind)
    parsed = PARSERS[kind](read_lines(spark, kind, sources))
    # small row groups: what one task wrote, of a gzip file, several may read
    parsed.write.option("compression", "lz4").option("parquet.block.size", ROW_GROUP).parquet(path)
    lines = spark.read.schema(parsed.schema).parquet(path)
    block_counts = _count_blocks(lines)
    tallies = {source.file: Tally() for source in sources}
    for block in block_counts:
        tallies[block.file].lines += block.lines
        tallies[block.file].blank += block.blank
    staged = Staged(lines, _blocks(spark, block_counts), tallies)
    if any(block.rejected for block in block_counts):
        _count_reasons(staged)
    return staged


def quarantine(rejected: DataFrame, fingerprints: DataFrame) -> DataFrame:
    """Rejected lines as rows of the table, broken ones with what breaks them; `fingerprints` has file, fingerprint."""
    is_whole = (F.col("reason") == INVALID_JSON) & (F.length("raw") < MAX_RAW)
    broken_line = F.when(is_whole, F.col("raw"))
    describe = F.udf(lambda line: line and describe_line(line), "string")
    described = rejected.withColumn("detail", F.coalesce("detail", describe(broken_line)))
    return described.join(F.broadcast(fingerprints), "file").select(QUARANTINE.names)


def _count_blocks(lines: DataFrame) -> list[Row]:
    """(file, block, first, lines, blank, rejected), one row a block: Spark reads 128 MB in one."""
    counted = lines.groupBy("file", "block").agg(
        F.min("seq").alias("first"),
        F.count("*").alias("lines"),
        F.count_if("is_blank").alias("blank"),
        F.count("reason").alias("rejected"),
    )
    return sorted(counted.collect(), key=lambda row: (row.file, row.block))


def _blocks(spark: SparkSession, block_counts: list[Row]) -> DataFrame:
    rows = []
    for _, blocks in groupby(block_counts, key=lambda row: row.file):
        before = 0
        for block in blocks:
            rows.append((block.file, block.block, block.first, before))
            before += block.lines
    return spark.createDataFrame(rows, "file INT, block BIGINT, first BIGINT, before BIGINT")


def _count_reasons(staged: Staged) -> None:
    """Fill in the tallies' reasons: one row a file and reason."""
    rejected = staged.rejected(list(staged.tallies)).groupBy("file", "reason")
    first_rejected_by_file: dict[int, list[Row]] = defaultdict(list)
    first = F.min_by(F.struct("position", "detail", "raw"), "position").alias("first")
    for row in rejected.agg(F.count("*").alias("rows"), first).collect():
        staged.tallies[row.file].rejected[row.reason] = row.rows
        first_rejected_by_file[row.file].append(row.first)
    for file, rows in first_rejected_by_file.items():
        earliest = min(rows, key=lambda row: row.position)
        staged.tallies[file].first_rejected = earliest.position
        staged.tallies[file].first_problem = earliest.detail or describe_line(earliest.raw) or ""
