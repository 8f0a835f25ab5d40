"""Keeps forgotten reviewers out: their reviews do not enter, and rejected lines that name them lose their text."""

from __future__ import annotations

import logging

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsys_jobs.contracts.erased_users import ErasedUsers
from spark.quarantine_reasons import ID_PATTERN, USER_PATTERN

log = logging.getLogger(__name__)


def without_forgotten(reviews: DataFrame, forgotten: ErasedUsers) -> DataFrame:
    """The reviews of everybody else. Those left out count as duplicates of their file: read, and not standing."""
    if not forgotten.hashes:
        return reviews
    log.info("reviews of forgotten people, of whom there are %d, do not enter", len(forgotten.hashes))
    return reviews.where(~_hash(F.col("user_id"), forgotten).isin(*forgotten.hashes))


def hushed(quarantine: DataFrame, forgotten: ErasedUsers) -> DataFrame:
    """Rows of `quarantine` without the text where it names a forgotten reviewer, in whichever field."""
    if not forgotten.hashes:
        return quarantine
    spellings = [(name, F.lit(pattern)) for name in ("raw", "detail") for pattern in (ID_PATTERN, USER_PATTERN)]
    words = F.concat(*(F.regexp_extract_all(_text(name), pattern, F.lit(0)) for name, pattern in spellings))
    fields = [F.get_json_object("raw", f"$.{name}") for name in ("reviewerID", "user_id")]  # ids that are no words
    said = F.concat(words, F.array_compact(F.array(*fields)))
    names_one = F.exists(said, lambda word: _hash(word, forgotten).isin(*forgotten.hashes))
    silent = {name: F.when(~names_one, F.col(name)) for name in ("raw", "detail")}
    return quarantine.withColumns(silent)


def _text(name: str) -> Column:
    return F.coalesce(F.col(name), F.lit(""))


def _hash(user: Column, forgotten: ErasedUsers) -> Column:
    """As `Forgotten.hash`."""
    return F.sha2(F.concat(F.lit(forgotten.salt), user), 256)
