"""Which rows stand: one row a key, over files and nights; and the commit that makes it so."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from recsys_jobs.contracts import fault_injection
from recsys_jobs.contracts.settings import table_uri
from recsys_jobs.contracts.tables import ITEMS, REVIEWS, Table
from spark import store

HASHES = {REVIEWS.name: "review_hash", ITEMS.name: "item_hash"}
LINE = ["file", "seq"]


def bring(spark: SparkSession, table: Table, fresh: DataFrame, paths: list[str], lake: Path) -> None:
    """Commit the `fresh` rows (`LINE` and the table's columns) of the files at `paths`, one row a key.

    Among rows with equal keys the smallest hash wins, then the smallest path. What the lake holds from `paths`, an
    older version of a file or half a night, does not count and leaves. Only keys, hashes and line numbers are
    shuffled: the text goes from the staged files to the table untouched.
    """
    elsewhere = store.read(spark, table, lake).where(~F.col("path").isin(paths))
    lost = _losers(table, fresh, elsewhere).persist()
    try:
        losing = lost.where(F.col("file").isNotNull()).select(*LINE)
        rows = fresh if losing.isEmpty() else fresh.join(losing, LINE, "left_anti")
        beaten = _paths(lost.where(F.col("file").isNull()))
        rows = rows.select(table.names)
        if beaten:
            rows = rows.unionByName(_survivors(table, elsewhere.where(F.col("path").isin(beaten)), lost))
        replace_paths(spark, table, rows, [*paths, *beaten], lake)
    finally:
        lost.unpersist()


def replace_paths(spark: SparkSession, table: Table, rows: DataFrame, paths: list[str], lake: Path) -> None:
    """Put `rows` in the place of everything that came from `paths`, in one commit.

    So a repeated night leaves the same rows. Where the table holds nothing from there, this is a plain append.
    """
    store.create(spark, table, lake)
    where = table_uri(table.name, lake)
    theirs = F.col("path").isin(paths)  # all of them: Delta holds the new rows to the condition too
    if not store.read(spark, table, lake).where(theirs).isEmpty():
        with fault_injection.commit(table.name, lake / table.name):
            rows.writeTo(f"delta.`{where.replace('`', '``')}`").overwrite(theirs)
    elif not rows.isEmpty():
        with fault_injection.commit(table.name, lake / table.name):
            rows.write.format("delta").mode("append").save(where)


def _paths(rows: DataFrame) -> list[str]:
    return sorted(row.path for row in rows.select("path").distinct().collect())


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
