"""The edge of the Spark side: reading a table of the lake, and replacing whole dates of one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from recsys_jobs.tables import Table


def read(spark: SparkSession, table: Table, lake: Path) -> DataFrame:
    """The table as it stands; no rows while nothing was ever written to it."""
    path = str(lake / table.name)
    if not DeltaTable.isDeltaTable(spark, path):
        return spark.createDataFrame([], table.ddl)
    return spark.read.format("delta").load(path).select(table.names)


def replace(table: Table, rows: DataFrame, days: Iterable[date], lake: Path) -> None:
    """Replace the partitions of `days` by `rows`, in one commit: a reader sees the old ones or the new ones."""
    (column,) = table.partitioned_by
    wanted = ", ".join(f"DATE '{day.isoformat()}'" for day in days)
    (
        rows.select(table.names)
        .write.format("delta")
        .mode("overwrite")
        .partitionBy(column)
        .option("replaceWhere", f"{column} IN ({wanted})")
        .option("optimizeWrite", "true")  # few files a date, however many partitions the rows came in
        .save(str(lake / table.name))
    )
