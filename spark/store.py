"""How Spark sees a table of the lake: the files that its log names, read as the Parquet they are.

The log is read and written by `recsys_jobs.lake` alone: that takes milliseconds, where Spark's Delta needs a dozen
jobs a commit.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession

from recsys_jobs.contracts.tables import Table
from recsys_jobs.lake import delta, table_files


def read(spark: SparkSession, table: Table, lake: Path, days: Iterable[date] | None = None) -> DataFrame:
    """The table as it stands, of these days alone where it has any; no rows while nothing was ever written to it."""
    files = table_files.files(table, days, lake)
    if not files:
        return spark.createDataFrame([], table.ddl)
    folder = delta.table_path(table, lake)
    rows = spark.read.schema(table.ddl).option("basePath", folder)
    return rows.parquet(*(f"{folder}/{unquote(file)}" for file in files)).select(table.names)


def stage(rows: DataFrame, table: Table, folder: Path) -> DataFrame:
    """Write rows as files that the table can take over, by date where it is partitioned; return them as they stand."""
    path = str(folder / table.name)
    rows.select(table.names).write.partitionBy(*table.partitioned_by).option("compression", "zstd").parquet(path)
    return rows.sparkSession.read.schema(table.ddl).parquet(path).select(table.names)
