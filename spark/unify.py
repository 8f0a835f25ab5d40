"""One schema from three dumps: lines of reviews and items, DataFrame in, DataFrame out.

A line comes as (file, path, dataset, landed_on, latest, block, seq, value, json): its place, the last moment a review
may have, the bytes as they stood, and the text to parse. It leaves with the table's columns, and with `reason`,
`detail` and `raw` where something is wrong with it. Fields are read as strings whatever JSON type they have, so that
one bad field does not hide the rest; types are then tried one by one.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark import quarantine_reasons
from spark.columns import (
    Problem,
    bad_id,
    blank,
    first_problem,
    looks_like_id,
    name_and_value,
    parse,
    raw_line,
    readable,
    text_hash,
    unreadable,
)

PLACE = ["file", "path", "dataset", "landed_on", "block", "seq"]
VERDICT = ["is_blank", "reason", "detail", "raw"]

_REVIEW = (
    "reviewerID STRING, user_id STRING, asin STRING, parent_asin STRING, overall STRING, rating STRING, "
    "summary STRING, title STRING, reviewText STRING, text STRING, unixReviewTime STRING, timestamp STRING, "
    "sort_timestamp STRING, verified STRING, verified_purchase STRING"
)
_ITEM = (
    "item_id STRING, title STRING, description STRING, brand STRING, categories ARRAY<STRING>, price DOUBLE, "
    "image_urls ARRAY<STRING>, also_bought ARRAY<STRING>, also_viewed ARRAY<STRING>, bought_together ARRAY<STRING>"
)
_MILLISECONDS_FROM = 1e11  # as seconds the year 5138, as milliseconds 1973


def reviews(lines: DataFrame) -> DataFrame:
    """Lines of reviews in the table's columns, and what is wrong with each.

    `review_hash` is the sha256 of dataset, user, item, milliseconds, rating, verified, the lengths of title and text
    ("-" where null) and the hash of title, newline, text, joined by newlines: no two different rows read the same.
    """
    judged = _with_verdict(_review_columns(lines), _is_sound_review(), _review_problems())
    hashed = judged.withColumn("text_hash", text_hash(F.col("title"), F.col("text")))
    return hashed.select(
        *PLACE,
        *VERDICT,
        "user_id",
        "item_id",
        "rating",
        "title",
        "text",
        F.when(_good(), F.timestamp_millis(F.col("time").cast("bigint"))).alias("reviewed_at"),
        "verified",
        _review_hash().alias("review_hash"),
        "text_hash",
    )


def _review_columns(lines: DataFrame) -> DataFrame:
    """The fields of all three dumps under one name each, raw where a problem quotes them."""
    raw_time = F.coalesce("row.unixReviewTime", "row.timestamp", "row.sort_timestamp")
    return _fields(lines, _REVIEW).select(
        *PLACE,
        "latest",
        "value",
        "json",
        "parsed",
        F.coalesce("row.reviewerID", "row.user_id").alias("user_id"),
        F.coalesce("row.parent_asin", "row.asin").alias("item_id"),
        F.coalesce("row.overall", "row.rating").alias("raw_rating"),
        F.coalesce("row.overall", "row.rating").try_cast("double").alias("rating"),
        F.coalesce("row.summary", "row.title").alias("title"),
        F.coalesce("row.reviewText", "row.text").alias("text"),
        raw_time.alias("raw_time"),
        _milliseconds(raw_time).alias("time"),
        F.coalesce("row.verified", "row.verified_purchase").try_cast("boolean").alias("verified"),
    )


def _review_problems() -> list[Problem]:
    return [
        *unreadable(F.col("parsed")),
        *bad_id("user_id", F.col("user_id"), F.col("json"), quarantine_reasons.USER_PATTERN),
        *bad_id("item_id", F.col("item_id"), F.col("json")),
        *_bad_time(),
        *_bad_rating(),
    ]


def _is_sound_review() -> Column:
    """Whether a review has no problem, at first sight: nearly all lines, which skip the list of problems."""
    has_user = looks_like_id(F.col("user_id"), quarantine_reasons.USER_PATTERN)
    has_item = looks_like_id(F.col("item_id"))
    has_time = F.col("time").between(_opens(), _latest())
    return readable(F.col("parsed")) & has_user & has_item & has_time & F.col("rating").between(1, 5)


def items(lines: DataFrame) -> DataFrame:
    """Lines of items, as `item_fields` made them, in the table's columns, and what is wrong with each.

    `item_hash` is the sha256 of the fields from title to bought_together as one JSON object, nulls left out. Lists
    are never null.
    """
    row = _fields(lines, _ITEM).withColumn("item_id", F.col("row.item_id"))
    problems = [*unreadable(F.col("parsed")), *bad_id("item_id", F.col("item_id"), F.col("json"))]
    sound = readable(F.col("parsed")) & looks_like_id(F.col("item_id"))
    version = _with_verdict(row, sound, problems)
    fields = [name for name in version.select("row.*").columns if name != "item_id"]
    return version.select(
        *PLACE,
        *VERDICT,
        "item_id",
        F.sha2(F.to_json(F.struct(*(f"row.{name}" for name in fields))), 256).alias("item_hash"),
        *(f"row.{name}" for name in fields),
        text_hash(F.col("row.title"), F.col("row.description")).alias("text_hash"),
    )


def _fields(lines: DataFrame, fields: str) -> DataFrame:
    parsed = lines.withColumn("parsed", parse(F.col("json"), fields))
    return parsed.withColumn("row", F.get("parsed", F.lit(0)))


def _with_verdict(row: DataFrame, sound: Column, problems: list[Problem]) -> DataFrame:
    """Adds `is_blank`, `reason`, `detail` and `raw`; a blank line has no problem."""
    blank_line = ~F.col("value").startswith("{") & F.col("value").rlike(r"^\s*\z")
    with_problem = row.withColumn("is_blank", blank_line).withColumn("problem", first_problem(sound, problems))
    bad = F.col("problem").isNotNull() & ~F.col("is_blank")
    return with_problem.select(
        "*",
        F.when(bad, F.col("problem.reason")).alias("reason"),
        F.when(bad, F.col("problem.detail")).alias("detail"),
        F.when(bad, raw_line()).alias("raw"),
    )


def _good() -> Column:
    return F.col("reason").isNull() & ~F.col("is_blank")


def _milliseconds(raw: Column) -> Column:
    number = raw.try_cast("double")
    return F.when(F.abs(number) >= _MILLISECONDS_FROM, number).otherwise(number * 1000)


def _opens() -> Column:
    return F.unix_millis(F.lit(quarantine_reasons.AMAZON_OPENS).cast("timestamp")).cast("double")


def _latest() -> Column:
    """The last millisecond that a review of the file may have."""
    return F.unix_millis("latest").cast("double") - 1


def _bad_time() -> list[Problem]:
    raw, time = F.col("raw_time"), F.col("time")
    return [
        (blank(raw), quarantine_reasons.MISSING_TIME, F.lit(None)),
        (time.isNull() | F.isnan(time), quarantine_reasons.WRONG_TYPE, name_and_value("time", raw)),
        (time < _opens(), quarantine_reasons.EARLY_TIME, name_and_value("time", raw)),
        (time > _latest(), quarantine_reasons.FUTURE_TIME, name_and_value("time", raw)),
    ]


def _bad_rating() -> list[Problem]:
    raw, rating = F.col("raw_rating"), F.col("rating")
    return [
        (blank(raw), quarantine_reasons.MISSING_RATING, F.lit(None)),
        (rating.isNull() | F.isnan(rating), quarantine_reasons.WRONG_TYPE, name_and_value("rating", raw)),
        (~rating.between(1, 5), quarantine_reasons.BAD_RATING, name_and_value("rating", raw)),
    ]


def _review_hash() -> Column:
    def text_or_dash(value: Column) -> Column:
        return F.coalesce(value.cast("string"), F.lit("-"))

    title, text = F.length("title"), F.length("text")
    plain = [F.col(name) for name in ("dataset", "user_id", "item_id", "time", "rating", "verified")]
    parts = [text_or_dash(column) for column in [*plain, title, text, F.col("text_hash")]]
    return F.sha2(F.concat_ws("\n", *parts), 256)
