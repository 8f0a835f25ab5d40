"""Keeps erased reviewers out: their reviews do not enter, and rejected lines that name them lose their text."""

from __future__ import annotations

import logging

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsys_jobs.contracts.erased_users import ErasedUsers
from spark.quarantine_reasons import ID_PATTERN, USER_PATTERN

log = logging.getLogger(__name__)


def without_erased_users(reviews: DataFrame, erased: ErasedUsers) -> DataFrame:
    """Return the reviews of everybody else. The others count as duplicates of their file: read, not in the table."""
    if not erased.hashes:
        return reviews
    log.info("reviews of forgotten people, of whom there are %d, do not enter", len(erased.hashes))
    is_erased = _hash(F.col("user_id"), erased).isin(*erased.hashes)
    return reviews.where(~is_erased)


def redact(quarantine: DataFrame, erased: ErasedUsers) -> DataFrame:
    """Return `quarantine` without the text of rows that name an erased reviewer, in whichever field."""
    if not erased.hashes:
        return quarantine
    names_erased = F.exists(_possible_ids(), lambda word: _hash(word, erased).isin(*erased.hashes))
    redacted = {name: F.when(~names_erased, F.col(name)) for name in ("raw", "detail")}
    return quarantine.withColumns(redacted)


def _possible_ids() -> Column:
    """Every word of a row that may be a reviewer's id, and the values of the fields that hold ids."""
    patterns = (ID_PATTERN, USER_PATTERN)
    texts = [(_text(name), F.lit(pattern)) for name in ("raw", "detail") for pattern in patterns]
    words = F.concat(*(F.regexp_extract_all(text, pattern, F.lit(0)) for text, pattern in texts))
    fields = [F.get_json_object("raw", f"$.{name}") for name in ("reviewerID", "user_id")]  # ids that are no words
    return F.concat(words, F.array_compact(F.array(*fields)))


def _text(name: str) -> Column:
    return F.coalesce(F.col(name), F.lit(""))


def _hash(user: Column, erased: ErasedUsers) -> Column:
    """The same as `ErasedUsers.hash`."""
    return F.sha2(F.concat(F.lit(erased.salt), user), 256)
