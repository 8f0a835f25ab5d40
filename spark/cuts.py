"""The exam cut H of a night: the day before its holdout begins, found from one row a day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F


class Day(NamedTuple):
    """What changes on a day: new pairs; and for a cut H that moves past this day, who and what a holdout would hold."""

    day: date
    pairs: int
    users: int  # +1 where a user's history begins, -1 where it ends
    held_out: int  # + a user's later pairs where its history begins, - each of them on its own day


@dataclass(frozen=True)
class ExamCut:
    """The exam cut, and what its holdout holds; `pairs` counts all before the end of the run date."""

    day: date
    users: int
    held_out: int
    pairs: int
    decidable: bool


def calendar(pairs: DataFrame) -> DataFrame:
    """One `Day` for each day with a pair.

    A user has a history at H and a new pair after it exactly while first day <= H < last day, so that the figures of
    every possible H are running sums over days: no pass over the pairs for each H.
    """
    user = Window.partitionBy("user_id")
    first, last = F.min("day").over(user), F.max("day").over(user)
    daily = pairs.groupBy("user_id", F.to_date("interacted_at").alias("day")).agg(F.count("*").alias("pairs"))
    changes = daily.select(
        "day",
        "pairs",
        ((F.col("day") == first).cast("int") - (F.col("day") == last).cast("int")).alias("users"),
        F.when(F.col("day") == first, F.sum("pairs").over(user) - F.col("pairs"))
        .otherwise(-F.col("pairs"))
        .alias("held_out"),
    )
    return (
        changes.groupBy("day")
        .agg(F.sum("pairs").alias("pairs"), F.sum("users").alias("users"), F.sum("held_out").alias("held_out"))
        .select("day", "pairs", "users", "held_out")
    )


def exam_cut(days: Iterable[Day], run_date: date, min_users: int, max_share: float) -> ExamCut:
    """The latest H with `min_users` (at least one) holdout users.

    The holdout never has more than `max_share` of the pairs: where that leaves too few users, the earliest H that it
    allows, not decidable; with all pairs on the run date itself that is the run date, and the holdout is empty.
    `days` is not empty, none of them after `run_date`.
    """
    ordered = sorted(days)
    total = sum(day.pairs for day in ordered)
    ends = [after.day - timedelta(days=1) for _, after in pairwise(ordered)] + [run_date]
    pairs_so_far = users = held_out = 0
    earliest, latest = None, None
    for day, end in zip(ordered, ends, strict=True):
        pairs_so_far, users, held_out = pairs_so_far + day.pairs, users + day.users, held_out + day.held_out
        if total - pairs_so_far > max_share * total:
            continue
        earliest = earliest or ExamCut(day.day, users, held_out, total, decidable=False)
        if users >= max(min_users, 1):
            latest = ExamCut(end, users, held_out, total, decidable=True)
    exam = latest or earliest
    assert exam is not None, "on the last day nothing is left to hold out"
    return exam
