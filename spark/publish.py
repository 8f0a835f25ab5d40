"""Which rows stand: one row a key, over files and nights; and the commit that makes it so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from recsys_jobs.tables import ITEMS, REVIEWS, Table
from spark import store

HASHES = {REVIEWS.name: "review_hash", ITEMS.name: "item_hash"}
LINE = ["file", "seq"]


@dataclass(frozen=True)
class Change:
    """What a table's commit brings: rows, and the paths whose old rows leave with it."""

    rows: DataFrame
    paths: list[str]


def change(spark: SparkSession, table: Table, fresh: DataFrame, paths: list[str], lake: Path) -> Change:
    """Decide between `fresh` rows (`LINE` and the table's columns) of the files at `paths` and those of the lake.

    Among rows with equal keys the smallest hash wins, then the smallest path. What the lake holds from `paths`, an
    older version of a file or half a night, does not count. Only keys, hashes and line numbers are shuffled: the
    text goes from the staged files to the table untouched.
    """
    standing = store.read(spark, table, lake)
    elsewhere = standing.where(~F.col("path").isin(paths))
    lost = _losers(table, fresh, elsewhere).persist()
    beaten = [row.path for row in lost.where(F.col("file").isNull()).select("path").distinct().collect()]
    losing = lost.where(F.col("file").isNotNull()).select(*LINE)
    rows = fresh if losing.isEmpty() else fresh.join(losing, LINE, "left_anti")
    rows = rows.select(table.names)
    if beaten:
        rows = rows.unionByName(_survivors(table, elsewhere.where(F.col("path").isin(beaten)), lost))
    there = standing.where(F.col("path").isin(paths)).select("path").distinct().collect()
    return Change(rows, sorted({*beaten, *(row.path for row in there)}))


def commit(spark: SparkSession, table: Table, change: Change, lake: Path) -> None:
    """Write the change in one commit, so that a repeated night leaves the same rows."""
    _create(spark, table, lake)
    where = str(lake / table.name)
    if change.paths:
        change.rows.writeTo(f"delta.`{where.replace('`', '``')}`").overwrite(F.col("path").isin(change.paths))
    else:
        change.rows.write.format("delta").mode("append").save(where)


def _create(spark: SparkSession, table: Table, lake: Path) -> None:
    """The empty table, where there is none: it declares which columns are never null."""
    if DeltaTable.isDeltaTable(spark, str(lake / table.name)):
        return
    builder = DeltaTable.createIfNotExists(spark).location(str(lake / table.name))
    builder.addColumns(spark.createDataFrame([], table.ddl).schema).execute()


def rows_by_path(spark: SparkSession, table: Table, lake: Path) -> dict[str, int]:
    """How many rows of the table came from each landed file."""
    counts = store.read(spark, table, lake).groupBy("path").count()
    return {row["path"]: row["count"] for row in counts.collect()}


def _losers(table: Table, fresh: DataFrame, elsewhere: DataFrame) -> DataFrame:
    """The rows that give way, of the fresh ones (with `LINE`) and of the lake's (`LINE` null)."""
    narrow = [*table.key, *({HASHES[table.name], "path"} - set(table.key))]
    new = fresh.select(*LINE, *narrow)
    same_key = _equal_keys(table, elsewhere, new)
    old = elsewhere.join(new, same_key, "left_semi").select(
        F.lit(None).cast("int").alias("file"), F.lit(None).cast("long").alias("seq"), *narrow
    )
    order = Window.partitionBy(*table.key).orderBy(HASHES[table.name], "path", "file", "seq")
    return new.unionByName(old).withColumn("rank", F.row_number().over(order)).where("rank > 1")


def _survivors(table: Table, old: DataFrame, lost: DataFrame) -> DataFrame:
    beaten = lost.where(F.col("file").isNull())
    return old.join(beaten, _equal_keys(table, old, beaten) & (old["path"] == beaten["path"]), "left_anti").select(
        table.names
    )


def _equal_keys(table: Table, left: DataFrame, right: DataFrame) -> Column:
    condition = F.lit(True)
    for name in table.key:
        condition = condition & left[name].eqNullSafe(right[name])
    return condition
