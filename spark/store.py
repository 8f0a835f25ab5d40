"""The edge of the Spark side: reading a table of the lake, and replacing whole dates of one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from recsys_jobs.contracts import fault_injection
from recsys_jobs.contracts.settings import table_uri
from recsys_jobs.contracts.tables import Table


def read(spark: SparkSession, table: Table, lake: Path) -> DataFrame:
    """The table as it stands; no rows while nothing was ever written to it."""
    path = table_uri(table.name, lake)
    if not DeltaTable.isDeltaTable(spark, path):
        return spark.createDataFrame([], table.ddl)
    return spark.read.format("delta").load(path).select(table.names)


def create(spark: SparkSession, table: Table, lake: Path) -> None:
    """The empty table, where there is none: it declares its partitions and which columns are never null."""
    path = table_uri(table.name, lake)
    if DeltaTable.isDeltaTable(spark, path):
        return
    builder = DeltaTable.createIfNotExists(spark).location(path).partitionedBy(*table.partitioned_by)
    builder.addColumns(spark.createDataFrame([], table.ddl).schema).execute()


def replace(table: Table, rows: DataFrame, days: Iterable[date], lake: Path) -> None:
    """Replace the partitions of `days` by `rows`, in one commit: a reader sees the old ones or the new ones."""
    (column,) = table.partitioned_by
    create(rows.sparkSession, table, lake)
    day_list = ", ".join(f"DATE '{day.isoformat()}'" for day in days)
    writer = (
        rows.select(table.names)
        .write.format("delta")
        .mode("overwrite")
        .partitionBy(column)
        .option("replaceWhere", f"{column} IN ({day_list})")
        .option("optimizeWrite", "true")  # few files a date, however many partitions the rows came in
    )
    with fault_injection.commit(table.name, lake / table.name):
        writer.save(table_uri(table.name, lake))
