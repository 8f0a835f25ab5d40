"""The snapshots of a night, at the run date D and at its exam cut H: `python -m spark.snapshots --run-date D`.

Reads `reviews`, `items`, `item_images`; writes `interactions`, `item_edges`, `contents` at both cuts in one commit a
table, and `cuts` last: a night's snapshots are complete when its row of `cuts` stands. Nothing is written before both
cores are known to hold something and the interactions have passed their gate.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from expectations import gate
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.contracts.settings import Settings, lake_root, load_settings, parse_date, table_uri
from recsys_jobs.contracts.source_hash import sources_hash
from recsys_jobs.contracts.tables import (
    CONTENTS,
    CUTS,
    INTERACTIONS,
    ITEM_EDGES,
    ITEM_IMAGES,
    ITEMS,
    RECOMMENDATIONS,
    REVIEWS,
    Table,
)
from recsys_jobs.lake import delta
from recsys_jobs.lake.sql import query_rows
from recsys_jobs.lake.table_files import replace_dates, staged_rows
from spark.contents import contents, eligible, in_force, keep_pictures
from spark.cuts import Day, ExamCut, calendar, exam_cut
from spark.edges import co_review, listed
from spark.interactions import at_cuts, first_events, with_core
from spark.kcore import Peeling, k_core
from spark.session import get_spark
from spark.staging import workplace
from spark.store import read, stage

log = logging.getLogger(__name__)

_SETTINGS = (
    *("min_rating", "user_core", "item_core", "validation_share", "min_users", "max_holdout_share"),
    *("listed_edges", "edges_per_item", "history_for_edges"),
)
_INTERACTIONS = """
SELECT as_of, count(*), count(DISTINCT user_id), count(DISTINCT item_id),
    count_if(in_core), count(DISTINCT user_id) FILTER (in_core), count(DISTINCT item_id) FILTER (in_core),
    count_if(split = 'validation')
FROM rows GROUP BY as_of ORDER BY as_of
"""
_EDGES = "SELECT as_of, kind, count(*) FROM rows GROUP BY ALL ORDER BY ALL"
_CONTENTS = """
SELECT as_of, modality || ' ' || coalesce(reason, 'there'), count(*) FROM rows GROUP BY ALL ORDER BY ALL
"""


def inputs_hash(settings: Settings, lake: Path) -> str:
    """sha256 of all that the night's snapshots depend on: the tables' versions, the settings, the code.

    Not of the nights that are published: these keep the pictures that their snapshots have.
    """
    versions = {table.name: delta.version(table, lake) for table in (REVIEWS, ITEMS, ITEM_IMAGES)}
    values = {name: getattr(settings, name) for name in _SETTINGS}
    parts = [versions, values, sources_hash("spark.snapshots")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def is_current(run_date: date, settings: Settings, lake: Path) -> bool:
    """Whether the night's snapshots stand as they would be made now."""
    rows = delta.read_date(CUTS, run_date, lake=lake).to_pylist()
    if not rows or rows[0]["inputs"] != inputs_hash(settings, lake):
        return False
    cuts = {run_date, rows[0]["exam_cut"]}
    return all(cuts <= set(delta.dates(table, lake)) for table in (INTERACTIONS, CONTENTS))


def snapshot(spark: SparkSession, run_date: date, settings: Settings, lake: Path) -> ExamCut:
    """Write the night's snapshots and return its exam cut; JobError where there is no event, or no core at a cut."""
    inputs = inputs_hash(settings, lake)
    pairs = first_events(read(spark, REVIEWS, lake), run_date).cache()
    exam = _exam_cut(pairs, run_date, settings, lake)
    cuts = sorted({exam.day, run_date})
    interactions = _interactions(at_cuts(pairs, cuts), cuts, settings)
    with workplace(lake, "snapshots") as folder:
        interactions = stage(interactions, INTERACTIONS, folder)
        versions = in_force(read(spark, ITEMS, lake), cuts).cache()
        items = eligible(interactions, versions).cache()
        rows = staged_rows(INTERACTIONS, folder / INTERACTIONS.name)
        _log_interactions(rows)
        for cut in cuts:
            gate.validate_date(INTERACTIONS, rows, interactions, cut)
        stage(_edges(interactions, versions, items, settings), ITEM_EDGES, folder)
        _log_counts(ITEM_EDGES, _EDGES, folder)
        stage(_contents(spark, items, versions, cuts, lake), CONTENTS, folder)
        _log_counts(CONTENTS, _CONTENTS, folder)
        for table in (INTERACTIONS, ITEM_EDGES, CONTENTS):
            replace_dates(table, folder / table.name, cuts, lake)
    delta.replace_date(CUTS, run_date, _cuts_row(run_date, exam, inputs), lake)
    for frame in (pairs, versions, items):
        frame.unpersist()
    return exam


def _exam_cut(pairs: DataFrame, run_date: date, settings: Settings, lake: Path) -> ExamCut:
    """H by the night's settings; a row a day comes to the driver."""
    days = [Day(*row) for row in calendar(pairs).collect()]
    if not days:
        raise JobError(
            f"no review before the end of {run_date} in {table_uri(REVIEWS.name, lake)}: "
            "ingest older dumps, or choose a later run date"
        )
    exam = exam_cut(days, run_date, settings.min_users, settings.max_holdout_share)
    log.info(
        "cuts: D = %s, H = %s; the holdout has %d new pairs of %d users (%d are needed: %s)",
        *(run_date, exam.day, exam.held_out, exam.users, settings.min_users),
        "decidable" if exam.decidable else "undecided",
    )
    return exam


def _interactions(pairs: DataFrame, cuts: Sequence[date], settings: Settings) -> DataFrame:
    """`interactions` at the cuts; JobError where a core is empty."""
    positives = pairs.where(F.col("rating") >= settings.min_rating)
    core, peeled = k_core(positives, settings.user_core, settings.item_core)
    for cut in cuts:
        peeling = peeled.get(cut, Peeling())
        if not peeling.left:
            raise JobError(_empty_core(pairs.where(F.col("as_of") == F.lit(cut)), cut, cuts[-1], peeling, settings))
        log.info("k-core of %s: %s", cut, _describe(peeling, settings))
    return with_core(pairs, core, settings.validation_share)


def _empty_core(pairs: DataFrame, cut: date, run_date: date, peeling: Peeling, settings: Settings) -> str:
    """Return the error's sentence: the input's counts, what removed it, which setting to change."""
    rows = pairs.agg(
        F.count("*").alias("pairs"),
        F.countDistinct("user_id").alias("users"),
        F.countDistinct("item_id").alias("items"),
        F.count_if(F.col("rating") < settings.min_rating).alias("low"),
    ).first()
    assert rows is not None, "an aggregate without groups has one row"
    cut_name = f"{cut}" if cut == run_date else f"{cut}, the exam cut of {run_date},"
    input_counts = f"{rows['pairs']:,} pairs of {rows['users']:,} users and {rows['items']:,} items came in"
    if rows["low"] == rows["pairs"]:
        explanation = f"all of them rated below min_rating = {settings.min_rating:g}; lower min_rating"
    elif rows["low"]:
        low = f"{rows['low']:,} are rated below min_rating = {settings.min_rating:g}"
        explanation = f"{low}, {_describe(peeling, settings)}; lower min_rating, user_core or item_core"
    else:
        explanation = f"{_describe(peeling, settings)}; lower user_core or item_core"
    return f"the k-core of {cut_name} is empty: {input_counts}, {explanation} (RECSYS_CONFIG)"


def _describe(peeling: Peeling, settings: Settings) -> str:
    rounds = f"{peeling.rounds} round{'' if peeling.rounds == 1 else 's'}"
    left = f"left {peeling.left:,}" if peeling.left else "left none"
    return (
        f"{rounds} of user_core = {settings.user_core} and item_core = {settings.item_core} removed "
        f"{peeling.below_user_core:,} pairs of users and {peeling.below_item_core:,} pairs of items below them "
        f"and {left}"
    )


def _edges(interactions: DataFrame, versions: DataFrame, items: DataFrame, settings: Settings) -> DataFrame:
    edges = co_review(interactions, settings.history_for_edges, settings.edges_per_item)
    return edges.union(listed(versions, items)) if settings.listed_edges else edges


def _contents(
    spark: SparkSession, items: DataFrame, versions: DataFrame, cuts: Sequence[date], lake: Path
) -> DataFrame:
    fresh = contents(items, versions, read(spark, ITEM_IMAGES, lake))
    published_cuts = _published_cuts(cuts, lake)
    if not published_cuts:
        return fresh
    log.info("contents: finished nights keep the pictures of %s", ", ".join(map(str, published_cuts)))
    return keep_pictures(fresh, read(spark, CONTENTS, lake, published_cuts))


def _published_cuts(cuts: Sequence[date], lake: Path) -> list[date]:
    """Those of `cuts` on which a published night stands, as its run date or as its exam cut."""
    published = set(delta.dates(RECOMMENDATIONS, lake))
    nights = delta.read(CUTS, pc.field("run_date").isin(published), ["exam_cut"], lake) if published else None
    stands_on = published | set(nights["exam_cut"].to_pylist() if nights else ())
    return [cut for cut in cuts if cut in stands_on]


def _cuts_row(run_date: date, exam: ExamCut, inputs: str) -> pa.Table:
    row = (run_date, exam.day, exam.users, exam.held_out, exam.pairs, exam.decidable, inputs)
    return pa.Table.from_pylist([dict(zip(CUTS.names, row, strict=True))], delta.arrow_schema(CUTS))


def _log_interactions(interactions: ds.Dataset) -> None:
    for row in query_rows(_INTERACTIONS, interactions):
        log.info(
            "interactions at %s: %d rows, %d users, %d items; core %d rows, %d users, %d items, %d for validation", *row
        )


def _log_counts(table: Table, counts: str, folder: Path) -> None:
    rows = query_rows(counts, staged_rows(table, folder / table.name))
    for cut in sorted({row[0] for row in rows}):
        parts = [f"{count:,} {what}" for as_of, what, count in rows if as_of == cut]
        log.info("%s at %s: %s", table.name, cut, ", ".join(parts))


def main() -> None:
    """The step's command line."""
    parser = argparse.ArgumentParser(prog="python -m spark.snapshots", description=__doc__.splitlines()[0])
    parser.add_argument("--run-date", required=True, metavar="YYYY-MM-DD", help="the night's date D")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_date, settings = parse_date(arguments.run_date), load_settings()
    if is_current(run_date, settings, lake_root()):
        log.info("the snapshots of %s stand: nothing that they are made from has changed", run_date)
        return
    spark = get_spark("snapshots")
    try:
        snapshot(spark, run_date, settings, lake_root())
    finally:
        spark.stop()


if __name__ == "__main__":
    run_step(main)
