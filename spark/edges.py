"""Edges between items at a cut: reviewed by the same people, or listed on each other's page."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsys_jobs.contracts.tables import ITEM_EDGES

LISTED = ("also_bought", "also_viewed", "bought_together")


def co_review(interactions: DataFrame, history: int, per_item: int) -> DataFrame:
    """Items that the same people reviewed; weight = people who have both among their last `history` pairs.

    An edge stays if it is among the `per_item` strongest of either end, ties by item id. `history` bounds the work
    that one very busy person makes (pairs grow with its square).
    """
    event = F.struct("interacted_at", "item_id", "review_hash")  # in the total order of events
    newest = F.slice(F.sort_array(F.collect_list(event), asc=False), 1, history)
    items = F.sort_array(F.transform(newest, lambda event: event["item_id"]))
    firsts = (
        interactions.groupBy("as_of", "user_id")
        .agg(items.alias("items"))
        .select("as_of", F.posexplode("items").alias("place", "src"), F.size("items").alias("size"), "items")
    )
    after = F.slice("items", F.col("place") + 2, F.greatest(F.col("size") - F.col("place") - 1, F.lit(0)))
    edges = (
        firsts.select("as_of", "src", F.explode(after).alias("dst"))
        .groupBy("as_of", "src", "dst")
        .agg(F.count("*").cast("double").alias("weight"))
    )
    return _strongest(edges, per_item).withColumn("kind", F.lit("co_review")).select(ITEM_EDGES.names)


def _strongest(edges: DataFrame, per_item: int) -> DataFrame:
    ends = F.explode(
        F.array(
            F.struct(F.col("src").alias("item"), F.col("dst").alias("other")),
            F.struct(F.col("dst").alias("item"), F.col("src").alias("other")),
        )
    )
    place = F.row_number().over(Window.partitionBy("as_of", "item").orderBy(F.desc("weight"), "other"))
    return (
        edges.select("*", ends.alias("end"))
        .select("as_of", "src", "dst", "weight", "end.item", "end.other")
        .withColumn("place", place)
        .where(F.col("place") <= per_item)
        .groupBy("as_of", "src", "dst")
        .agg(F.max("weight").alias("weight"))
    )


def listed(versions: DataFrame, eligible: DataFrame) -> DataFrame:
    """Items that an item's page lists, both ends eligible; weight 2 where each lists the other.

    `versions` are those in force: their own items are eligible, so that only the listed ones are looked up.
    """
    lists = F.array(*[F.struct(F.lit(kind).alias("kind"), F.array_distinct(kind).alias("others")) for kind in LISTED])
    listings = (
        versions.select("as_of", "item_id", F.explode(lists).alias("list"))
        .select("as_of", "item_id", "list.kind", F.explode("list.others").alias("other"))
        .where(F.col("item_id") != F.col("other"))
    )
    known = eligible.select("as_of", F.col("item_id").alias("other"))
    return (
        listings.join(known, ["as_of", "other"], how="left_semi")
        .groupBy("as_of", F.least("item_id", "other").alias("src"), F.greatest("item_id", "other").alias("dst"), "kind")
        .agg(F.count("*").cast("double").alias("weight"))
        .select(ITEM_EDGES.names)
    )
