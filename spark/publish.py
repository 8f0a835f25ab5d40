"""Keeps one row a key, over files and nights, and commits it."""

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


def merge_rows(spark: SparkSession, table: Table, fresh: DataFrame, paths: list[str], lake: Path) -> None:
    """Commit the `fresh` rows (`LINE` and the table's columns) of the files at `paths`, one row a key.

    Among rows with equal keys the smallest hash wins, then the smallest path. Rows that the lake holds from `paths`,
    of an older version of a file or of half a night, do not count and leave. Only keys, hashes and line numbers are
    shuffled: the text goes from the staged files to the table untouched.
    """
    stored = store.read(spark, table, lake).where(~F.col("path").isin(paths))
    duplicates = _duplicates(table, fresh, stored).persist()
    try:
        rows = _without_duplicates(fresh, duplicates).select(table.names)
        beaten_paths = _paths(duplicates.where(F.col("file").isNull()))
        if beaten_paths:
            of_paths = stored.where(F.col("path").isin(beaten_paths))
            rows = rows.unionByName(_kept_rows(table, of_paths, duplicates))
        replace_paths(spark, table, rows, [*paths, *beaten_paths], lake)
    finally:
        duplicates.unpersist()


def _without_duplicates(fresh: DataFrame, duplicates: DataFrame) -> DataFrame:
    """The fresh rows that keep their place."""
    of_fresh = duplicates.where(F.col("file").isNotNull()).select(*LINE)
    return fresh if of_fresh.isEmpty() else fresh.join(of_fresh, LINE, "left_anti")


def replace_paths(spark: SparkSession, table: Table, rows: DataFrame, paths: list[str], lake: Path) -> None:
    """Put `rows` in the place of everything that came from `paths`, in one commit.

    So a repeated night leaves the same rows. Where the table holds nothing from there, this is a plain append.
    """
    store.create(spark, table, lake)
    uri = table_uri(table.name, lake)
    from_paths = F.col("path").isin(paths)  # all of them: Delta holds the new rows to the condition too
    if not store.read(spark, table, lake).where(from_paths).isEmpty():
        with fault_injection.commit(table.name, lake / table.name):
            rows.writeTo(f"delta.`{uri.replace('`', '``')}`").overwrite(from_paths)
    elif not rows.isEmpty():
        with fault_injection.commit(table.name, lake / table.name):
            rows.write.format("delta").mode("append").save(uri)


def _paths(rows: DataFrame) -> list[str]:
    return sorted(row.path for row in rows.select("path").distinct().collect())


def rows_by_path(spark: SparkSession, table: Table, lake: Path) -> dict[str, int]:
    """How many rows of the table came from each landed file."""
    counts = store.read(spark, table, lake).groupBy("path").count()
    return {row["path"]: row["count"] for row in counts.collect()}


def _duplicates(table: Table, fresh: DataFrame, stored: DataFrame) -> DataFrame:
    """Return the rows that lose to another of their key: fresh ones (with `LINE`) and the lake's (`LINE` null)."""
    columns = [*table.key, *({HASHES[table.name], "path"} - set(table.key))]
    fresh_rows = fresh.select(*LINE, *columns)
    same_key = _equal_keys(table, stored, fresh_rows)
    no_file = F.lit(None).cast("int").alias("file")
    no_seq = F.lit(None).cast("long").alias("seq")
    stored_rows = stored.join(fresh_rows, same_key, "left_semi").select(no_file, no_seq, *columns)
    order = Window.partitionBy(*table.key).orderBy(HASHES[table.name], "path", "file", "seq")
    ranked = fresh_rows.unionByName(stored_rows).withColumn("rank", F.row_number().over(order))
    return ranked.where("rank > 1")


def _kept_rows(table: Table, stored: DataFrame, duplicates: DataFrame) -> DataFrame:
    """The stored rows that keep their place."""
    of_stored = duplicates.where(F.col("file").isNull())
    same_row = _equal_keys(table, stored, of_stored) & (stored["path"] == of_stored["path"])
    return stored.join(of_stored, same_row, "left_anti").select(table.names)


def _equal_keys(table: Table, left: DataFrame, right: DataFrame) -> Column:
    condition = F.lit(True)
    for name in table.key:
        condition = condition & left[name].eqNullSafe(right[name])
    return condition
