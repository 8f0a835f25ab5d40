"""The contents of each item at a cut: the version in force, its text, its picture, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsys_jobs.contracts.tables import CONTENTS, URLS_PER_ITEM
from spark.edges import LISTED

ITEM = ["as_of", "item_id"]


def in_force(items: DataFrame, cuts: Sequence[date]) -> DataFrame:
    """The version of each item that counts at each cut.

    A version counts if it landed by then or at an unknown date; the last to land wins, an unknown landing last, then
    the smallest hash. Two datasets may describe one item alike: the smaller name, so that the row is always the same.
    """
    order = [F.desc_nulls_last("landed_on"), F.asc("item_hash"), F.asc("dataset")]
    place = F.row_number().over(Window.partitionBy(*ITEM).orderBy(*order))
    described = F.coalesce("description", F.lit("")).rlike(r"(?U)\S").alias("described")
    as_of = F.explode(F.array(*[F.lit(cut) for cut in cuts])).alias("as_of")
    return (
        items.select(
            as_of, "item_id", "dataset", "landed_on", "item_hash", "text_hash", described, "image_urls", *LISTED
        )
        .where(F.col("landed_on").isNull() | (F.col("landed_on") <= F.col("as_of")))
        .withColumn("place", place)
        .where(F.col("place") == 1)
        .select(*ITEM, "dataset", "item_hash", "text_hash", "described", "image_urls", *LISTED)
    )


def eligible(interactions: DataFrame, versions: DataFrame) -> DataFrame:
    """Every item with an event before the cut, or a version in force at it."""
    return interactions.select(ITEM).union(versions.select(ITEM)).distinct()


def contents(items: DataFrame, versions: DataFrame, images: DataFrame) -> DataFrame:
    """The table `contents`: text and image of each eligible item. `items` is `eligible`, `images` `item_images`."""
    known = items.join(versions, ITEM, how="left").join(_pictures(items, versions, images), ITEM, how="left")
    text = F.struct(
        F.lit("text").alias("modality"),
        F.col("text_hash").alias("content_hash"),
        F.when(F.col("item_hash").isNull(), "no_item")
        .when(F.col("text_hash").isNull(), "no_text")
        .when(~F.col("described"), "no_description")
        .alias("reason"),
    )
    image = F.struct(
        F.lit("image").alias("modality"),
        F.col("picture.content_hash").alias("content_hash"),
        F.when(F.col("picture.state") == "ok", None)
        .when(F.col("picture").isNotNull(), F.col("picture.state"))
        .when(F.col("item_hash").isNull(), "no_item")
        .otherwise("no_url")
        .alias("reason"),
    )
    return known.select(*ITEM, F.explode(F.array(text, image)).alias("content"), "dataset", "item_hash").select(
        *ITEM, "content.modality", "content.content_hash", "content.reason", "dataset", "item_hash"
    )


def _pictures(items: DataFrame, versions: DataFrame, images: DataFrame) -> DataFrame:
    """Return the best picture of each item: a stored one before a failed one, a local file before the version's URLs.

    `state` says how a failed one failed; `not_tried` where no source of the item was ever looked at.
    """
    attempts = images.select("item_id", "source", "state", "content_hash")
    local = items.join(attempts.where(~F.col("source").contains("://")), "item_id", how="inner").select(
        *ITEM, F.lit(-1).alias("position"), "source", "state", "content_hash"
    )
    linked = (
        _linked(versions)
        .join(attempts, ["item_id", "source"], how="left")
        .select(*ITEM, "position", "source", F.coalesce("state", F.lit("not_tried")).alias("state"), "content_hash")
    )
    rank = F.when(F.col("state") == "ok", 0).when(F.col("state") != "not_tried", 1).otherwise(2)
    best = F.min(F.struct(rank.alias("rank"), "position", "source", "state", "content_hash"))
    return local.union(linked).groupBy(*ITEM).agg(best.alias("picture"))


def _linked(versions: DataFrame) -> DataFrame:
    """Return the URLs of each version that the image step tries for its own sake.

    Attempts at other URLs do not count: they were made for a version that may have landed after the cut.
    """
    place = F.row_number().over(Window.partitionBy(*ITEM).orderBy("position"))
    return (
        versions.select(*ITEM, F.posexplode("image_urls").alias("position", "source"))
        .where(F.col("source") != "")
        .groupBy(*ITEM, "source")
        .agg(F.min("position").alias("position"))
        .withColumn("place", place)
        .where(F.col("place") <= URLS_PER_ITEM)
        .select(*ITEM, "position", "source")
    )


def keep_pictures(fresh: DataFrame, written: DataFrame) -> DataFrame:
    """`fresh` with the pictures that `written` already has: a finished date keeps the content it was made with."""
    written_pictures = written.where(F.col("modality") == "image").select(
        *ITEM, "modality", F.struct("content_hash", "reason").alias("written")
    )
    is_written = F.col("written").isNotNull()
    return (
        fresh.join(written_pictures, [*ITEM, "modality"], how="left")
        .select(
            *ITEM,
            "modality",
            F.when(is_written, F.col("written.content_hash")).otherwise(F.col("content_hash")).alias("content_hash"),
            F.when(is_written, F.col("written.reason")).otherwise(F.col("reason")).alias("reason"),
            "dataset",
            "item_hash",
        )
        .select(CONTENTS.names)
    )
