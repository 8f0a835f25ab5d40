"""The lines of landed files, each with its place: file, block of the file, and sequence within the block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from spark.formats import literal_to_json
from spark.reasons import MAX_LINE


class Source(NamedTuple):
    """A file to read, and what each of its lines needs to know of it."""

    file: int  # its number within the night
    absolute: str
    path: str  # relative to the landing zone
    dataset: str
    landed_on: date | None
    latest: datetime  # the first moment that is too late for a review of this file
    literal: bool


_SOURCE = "file INT, absolute STRING, path STRING, dataset STRING, landed_on DATE, latest TIMESTAMP, literal BOOLEAN"


def read_lines(spark: SparkSession, sources: list[Source]) -> DataFrame:
    """Every line of the sources, blank ones too: (…, value, json).

    `json` is the text to parse: `value` itself, or a Python literal turned into JSON. Within one block of one file
    the numbers `seq` run without holes in the order of the lines, which is what `positions` rests on: the number is
    given right above the scan, and a block is read by one task from start to end.
    """
    groups = [[s for s in sources if s.literal], [s for s in sources if not s.literal]]
    literal, plain = (_scan(spark, group) if group else None for group in groups)
    if literal is not None:
        literal = _as_json(literal)
    if plain is not None:
        plain = plain.withColumn("json", F.col("value"))
    if literal is not None and plain is not None:
        return plain.unionByName(literal)
    return plain if literal is None else literal  # type: ignore[return-value]


def _scan(spark: SparkSession, sources: list[Source]) -> DataFrame:
    paths = [_no_glob(source.absolute) for source in sources]
    about = spark.createDataFrame(sources, _SOURCE)
    scanned = (
        spark.read.option("lineSep", "\n")
        .text(paths)
        .select(
            "value",
            F.monotonically_increasing_id().alias("seq"),
            _plain_path(F.col("_metadata.file_path")).alias("absolute"),
            F.col("_metadata.file_block_start").alias("block"),
        )
    )
    return scanned.join(F.broadcast(about), "absolute").select(
        "file", "path", "dataset", "landed_on", "latest", "block", "seq", "value"
    )


def _as_json(lines: DataFrame) -> DataFrame:
    """Adds `json` by Python workers, one line after the other."""
    with_json = lines.withColumn("bytes", F.when(F.octet_length("value") <= MAX_LINE, F.col("value").cast("binary")))
    schema = ", ".join(f"{f.name} {f.dataType.simpleString()}" for f in lines.schema) + ", json STRING"
    whole = with_json.withColumn("value", F.col("value").cast("binary"))
    schema = schema.replace("value string", "value binary")
    return whole.mapInArrow(_evaluate, schema).withColumn("value", F.col("value").cast("string"))


def _evaluate(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        *kept, lines = batch.columns
        json = pa.array([_text_to_json(line.as_py()) for line in lines], pa.string())
        yield pa.RecordBatch.from_arrays([*kept, json], [*batch.schema.names[:-1], "json"])


def _text_to_json(line: bytes | None) -> str | None:
    try:
        return None if line is None else literal_to_json(line.decode())
    except UnicodeDecodeError:
        return None


def _plain_path(uri: Column) -> Column:
    """`file:///a%20b` as `/a b`."""
    decoded = F.url_decode(F.replace(uri, F.lit("+"), F.lit("%2B")))
    return F.regexp_replace(decoded, "^file:/+", "/")


def _no_glob(path: str) -> str:
    """The path with Hadoop's wildcards escaped: a file may be called reviews[1].json."""
    return "".join(f"\\{char}" if char in "{}[]*?\\" else char for char in str(Path(path)))
