"""The tables as the pages' queries name them, and the nights that there are."""

from __future__ import annotations

from datetime import date

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.tables import (
    CONTENTS,
    INTERACTIONS,
    ITEM_IMAGES,
    ITEMS,
    RECOMMENDATIONS,
    SIMILAR_ITEMS,
)
from recsys_jobs.lake import delta
from recsys_jobs.lake.partitions import Partitions, Source
from recsys_jobs.pages.text import clip, hash_in


def slates(night: date) -> Source:
    """What the night shows."""
    return Source(RECOMMENDATIONS, night)


def histories(night: date) -> Source:
    """What everybody had at the night's cut."""
    return Source(INTERACTIONS, night)


def contents(night: date) -> Source:
    """Which text and picture stand for each item at the night's cut."""
    return Source(CONTENTS, night)


def similar(night: date) -> Source:
    """What is most like each item."""
    return Source(SIMILAR_ITEMS, night)


ITEM_VERSIONS = Source(ITEMS)
IMAGE_ATTEMPTS = Source(ITEM_IMAGES)


def published_nights() -> list[date]:
    """The nights that have slates, newest first; from the table's log."""
    return delta.dates(RECOMMENDATIONS)[::-1]


def choose_night(text: str, nights: list[date]) -> date:
    """The night of this date, the newest for an empty text; UsageError where there is none."""
    if not nights:
        raise UsageError("Nothing is published yet: run make demo, or make nightly DATE=2014-03-01 LANDING=dir.")
    if not text:
        return nights[0]
    try:
        night = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{clip(text, 40)!r} is no date: write it as {nights[0]}.") from None
    if night not in nights:
        raise UsageError(f"No night of {night} is published; the newest is {nights[0]}, the oldest {nights[-1]}.")
    return night


_USER_OF_HASH = "SELECT any_value(user_id) AS id FROM slates WHERE rank = 1 AND sha256(user_id) = $hash"
_ITEM_OF_HASH = "SELECT any_value(item_id) AS id FROM contents WHERE sha256(item_id) = $hash"


def user_id_of(partitions: Partitions, night: date, said: str) -> str:
    """The id that a link means: itself, or the one of this hash; an unknown hash is an unknown id."""
    return _id_of(partitions, said, _USER_OF_HASH, {"slates": slates(night)})


def item_id_of(partitions: Partitions, night: date, said: str) -> str:
    """The id that a link means: itself, or the one of this hash; an unknown hash is an unknown id."""
    return _id_of(partitions, said, _ITEM_OF_HASH, {"contents": contents(night)})


def _id_of(partitions: Partitions, said: str, query: str, sources: dict[str, Source]) -> str:
    if digest := hash_in(said):
        return str(partitions.rows(query, sources, hash=digest)[0]["id"] or said)
    return said
