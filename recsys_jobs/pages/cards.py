"""Items as cards: id, title as of a night, and the hash of the picture that stands for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from recsys_jobs.lake.partitions import Partitions
from recsys_jobs.pages.sources import ITEM_VERSIONS, contents
from recsys_jobs.pages.text import title_of


@dataclass(frozen=True)
class Card:
    """One item; without a picture `reason` is the code that says why."""

    item_id: str
    title: str
    picture: str | None = None
    reason: str = ""


# the version in force at the cut: the latest landed, then the smallest hash
_TITLES = """
    SELECT item_id, title FROM items
    WHERE item_id IN (SELECT unnest($items)) AND (landed_on IS NULL OR landed_on <= $night)
    QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY landed_on DESC NULLS LAST, item_hash) = 1
"""
_PICTURES = """
    SELECT item_id, content_hash, reason FROM contents
    WHERE item_id IN (SELECT unnest($items)) AND modality = 'image'
"""


def cards(partitions: Partitions, night: date, items: Iterable[str]) -> dict[str, Card]:
    """A card for each of these items, known or not."""
    ids = sorted(set(items))
    if not ids:
        return {}
    named = partitions.rows(_TITLES, {"items": ITEM_VERSIONS}, items=ids, night=night)
    pictured = partitions.rows(_PICTURES, {"contents": contents(night)}, items=ids)
    titles = {row["item_id"]: row["title"] for row in named}
    pictures = {row["item_id"]: (row["content_hash"], row["reason"] or "") for row in pictured}
    return {item: Card(item, title_of(titles.get(item)), *pictures.get(item, (None, "not_eligible"))) for item in ids}
