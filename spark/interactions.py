"""Interactions at a cut: the first event of each (user, item) pair, whether it is in the core, and its split."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsys_jobs.contracts.tables import INTERACTIONS

PAIR = ["as_of", "user_id", "item_id"]


def latest_first() -> list[Column]:
    """The total order of events, turned round."""
    return [F.desc("interacted_at"), F.desc("item_id"), F.desc("review_hash")]


def first_events(reviews: DataFrame, cut: date) -> DataFrame:
    """One row for each (user, item) with an event before the end of `cut`: its first event in the total order."""
    first = F.min(F.struct("reviewed_at", "review_hash", "rating", "text_hash"))
    return (
        reviews.where(F.to_date("reviewed_at") <= F.lit(cut))
        .groupBy("user_id", "item_id")
        .agg(first.alias("first"))
        .select(
            "user_id",
            "item_id",
            F.col("first.reviewed_at").alias("interacted_at"),
            F.col("first.rating").alias("rating"),
            F.col("first.review_hash").alias("review_hash"),
            F.col("first.text_hash").alias("text_hash"),
        )
    )


def at_cuts(pairs: DataFrame, cuts: Sequence[date]) -> DataFrame:
    """The pairs of each cut, all cuts in one frame: what a pair's first event is does not depend on later ones."""
    as_of = F.explode(F.array(*[F.lit(cut) for cut in cuts]))
    return pairs.withColumn("as_of", as_of).where(F.to_date("interacted_at") <= F.col("as_of"))


def with_core(pairs: DataFrame, core: DataFrame, validation_share: float) -> DataFrame:
    """The table `interactions`: all pairs, marked where they are in the core."""
    marked = pairs.join(_split(core, validation_share), PAIR, how="left")
    return marked.select(
        "as_of",
        "user_id",
        "item_id",
        "interacted_at",
        "rating",
        F.col("core_split").isNotNull().alias("in_core"),
        F.coalesce("core_split", F.lit("train")).alias("split"),
        "review_hash",
        "text_hash",
    ).select(INTERACTIONS.names)


def _split(core: DataFrame, validation_share: float) -> DataFrame:
    """The last `validation_share` of each cut's core, rounded up, is 'validation'.

    A pair's place from the end is the number of pairs on later days plus its place in its own day: a ranking of
    whole cuts would put each on one machine.
    """
    day = F.to_date("interacted_at").alias("day")
    cut = Window.partitionBy("as_of")
    later = cut.orderBy(F.desc("day")).rowsBetween(Window.unboundedPreceding, -1)
    days = (
        core.groupBy("as_of", day)
        .agg(F.count("*").alias("pairs"))
        .select(
            "as_of",
            "day",
            F.sum("pairs").over(cut).alias("size"),
            F.coalesce(F.sum("pairs").over(later), F.lit(0)).alias("later"),
        )
    )
    in_day = F.row_number().over(Window.partitionBy("as_of", "day").orderBy(*latest_first()))
    from_end = F.col("later") + in_day
    last = from_end <= F.ceil(F.lit(validation_share) * F.col("size"))
    return (
        core.select(*PAIR, "interacted_at", "review_hash", day)
        .join(F.broadcast(days), ["as_of", "day"], how="inner")
        .select(*PAIR, F.when(last, "validation").otherwise("train").alias("core_split"))
    )
