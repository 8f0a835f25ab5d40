"""The lines of landed files, each with its place: file, block of the file, and sequence within the block."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark.integrity import Inspection
from spark.item_fields import item_json, review_json
from spark.quarantine_reasons import MAX_LINE


class Source(NamedTuple):
    """A file to read, and what each of its lines needs to know of it."""

    file: int  # its number within the night
    absolute: str  # under a name that Spark can read
    path: str  # relative to the landing zone
    dataset: str
    landed_on: date | None
    latest: datetime  # the first moment that is too late for a review of this file
    plain_json: bool  # whether Spark's own parser takes its lines


_SOURCE = "file INT, absolute STRING, path STRING, dataset STRING, landed_on DATE, latest TIMESTAMP, plain_json BOOLEAN"


def readable_copy(file: int, place: Path, inspection: Inspection, folder: Path) -> Path:
    """The file under a name that says its number and how it is packed, which is what Hadoop goes by: a link.

    A landed file may be called anything (Hadoop takes no colon) and be packed or not whatever its name says. Padding
    behind a gzip, which Hadoop takes for damage, is left out of a copy.
    """
    readable = folder / f"{file}.json{'.gz' if inspection.zipped else ''}"
    if inspection.padding:
        shutil.copyfile(place, readable)
        with readable.open("r+b") as copy:
            copy.truncate(inspection.size - inspection.padding)
    else:
        readable.symlink_to(place.resolve())
    return readable


def read_lines(spark: SparkSession, kind: str, sources: list[Source]) -> DataFrame:
    """Every line of the sources, blank ones too: (…, value, json).

    `json` is the text to parse: a review's line as it stands where that is plain JSON, else what `item_fields` makes
    of it. Within one block of one file the numbers `seq` run without holes in the order of the lines, which is what
    `positions` rests on: the number is given right above the scan, and a block is read by one task from start to end.
    """
    plain = [source for source in sources if kind == "reviews" and source.plain_json]
    other = [source for source in sources if source not in plain]
    parts = []
    if plain:
        parts.append(_scan(spark, plain).withColumn("json", F.col("value")))
    if other:
        parts.append(_as_json(_scan(spark, other), item_json if kind == "items" else review_json))
    return parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1])


def _scan(spark: SparkSession, sources: list[Source]) -> DataFrame:
    about = spark.createDataFrame(sources, _SOURCE).drop("absolute", "plain_json")
    scanned = (
        spark.read.option("lineSep", "\n")
        .text([source.absolute for source in sources])
        .select(
            "value",
            F.monotonically_increasing_id().alias("seq"),
            F.regexp_extract("_metadata.file_name", r"^(\d+)\.", 1).cast("int").alias("file"),
            F.col("_metadata.file_block_start").alias("block"),
        )
    )
    return scanned.join(F.broadcast(about), "file").select(
        "file", "path", "dataset", "landed_on", "latest", "block", "seq", "value"
    )


def _as_json(lines: DataFrame, to_json: Callable[[str], str | None]) -> DataFrame:
    """Add `json` by Python workers, one line after the other; null for a line that is too long or no UTF-8."""
    with_bytes = lines.withColumn("bytes", F.when(F.octet_length("value") <= MAX_LINE, F.col("value").cast("binary")))
    schema = ", ".join(f"{f.name} {f.dataType.simpleString()}" for f in lines.schema) + ", json STRING"
    whole = with_bytes.withColumn("value", F.col("value").cast("binary"))
    schema = schema.replace("value string", "value binary")

    def evaluate(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            *columns, texts = batch.columns
            json = pa.array([_decoded(text.as_py(), to_json) for text in texts], pa.string())
            yield pa.RecordBatch.from_arrays([*columns, json], [*batch.schema.names[:-1], "json"])

    return whole.mapInArrow(evaluate, schema).withColumn("value", F.col("value").cast("string"))


def _decoded(line: bytes | None, to_json: Callable[[str], str | None]) -> str | None:
    try:
        return None if line is None else to_json(line.decode())
    except UnicodeDecodeError:
        return None
