"""The k-core of user-item pairs, at several cuts at once: an iterated fixed point."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Peeling:
    """How one cut's core came about: rounds until nothing changed, pairs that each rule removed, pairs left."""

    rounds: int = 0
    below_user_core: int = 0
    below_item_core: int = 0
    left: int = 0


def k_core(pairs: DataFrame, user_core: int, item_core: int) -> tuple[DataFrame, dict[date, Peeling]]:
    """For each `as_of`, the largest set of pairs with `user_core` items a user and `item_core` users an item.

    Returns the rows of `pairs` that are left, and how each cut came to them. A round is one job that removes the users
    below their bound and then the items below theirs; what is left is cut from its lineage, which would otherwise
    double the plan each round.
    """
    peeled: dict[date, Peeling] = {}
    core = pairs
    while True:
        marked = _mark(core, user_core, item_core).localCheckpoint(eager=False)
        tallies = _tally(marked)
        core = marked.where("user_stays AND item_stays").select(pairs.columns)
        if not any(tally.below_user_core + tally.below_item_core for tally in tallies.values()):
            return core, peeled | {cut: _add(peeled.get(cut), tally) for cut, tally in tallies.items()}
        peeled |= {cut: _add(peeled.get(cut), tally) for cut, tally in tallies.items()}


def _mark(pairs: DataFrame, user_core: int, item_core: int) -> DataFrame:
    """`pairs` with `user_stays` by the users' degrees, then `item_stays` by the items' degrees among what stays."""
    user, item = Window.partitionBy("as_of", "user_id"), Window.partitionBy("as_of", "item_id")
    by_user = pairs.withColumn("user_stays", F.count("*").over(user) >= user_core)
    return by_user.withColumn("item_stays", F.count_if("user_stays").over(item) >= item_core)


def _tally(marked: DataFrame) -> dict[date, Peeling]:
    """What one round did to each cut: a row a cut comes to the driver."""
    user_stays, item_stays = F.col("user_stays"), F.col("item_stays")
    counts = marked.groupBy("as_of").agg(
        F.count_if(~user_stays).alias("below_user_core"),
        F.count_if(user_stays & ~item_stays).alias("below_item_core"),
        F.count_if(user_stays & item_stays).alias("left"),
    )
    return {
        row["as_of"]: Peeling(1, row["below_user_core"], row["below_item_core"], row["left"])
        for row in counts.collect()
    }


def _add(before: Peeling | None, last: Peeling) -> Peeling:
    """The sum of the rounds so far; a round that removes nothing only confirms and does not count."""
    before = before or Peeling()
    removed = last.below_user_core + last.below_item_core
    return Peeling(
        before.rounds + bool(removed),
        before.below_user_core + last.below_user_core,
        before.below_item_core + last.below_item_core,
        last.left,
    )
