"""Finds items by words of a title, and says everything that the lake knows of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.lake.partitions import Partitions
from recsys_jobs.pages.cards import Card, cards
from recsys_jobs.pages.exposure import Exposure, exposure
from recsys_jobs.pages.sources import IMAGE_ATTEMPTS, ITEM_VERSIONS, contents, similar, slates
from recsys_jobs.pages.text import LONG_TEXT, TITLE, clip, title_of

PAGE = 48  # items of one page of results
SHOWN_TO = 30  # people of one page
NIGHTS = 7  # whose exposure one page counts
_VERSIONS, _ATTEMPTS, _WORDS = 20, 12, 8
_GROUPS = 2  # row groups, of a million rows at most, in which one page looks for people


@dataclass(frozen=True)
class ItemsPage:
    """Items whose title has the words; `after` is where the next page begins, empty at the end."""

    items: list[Card]
    after: str


@dataclass(frozen=True)
class Version:
    """What landed of an item on one day."""

    landed_on: date | None
    title: str
    brand: str
    price: float | None
    description: str
    path: str


@dataclass(frozen=True)
class Item:
    """An item at a night's cut."""

    card: Card
    night: date
    versions: list[Version]
    text_state: str
    attempts: list[dict[str, Any]]
    similar: list[tuple[float, Card]]
    had: int | None
    shown_to: list[tuple[str, int]]
    after: str
    exposure: list[Exposure]


_FOUND = """
    SELECT DISTINCT item_id FROM items
    WHERE item_id > $after AND (landed_on IS NULL OR landed_on <= $night)
    AND list_bool_and(list_transform($words, lambda word: contains(lower(title), word)))
    ORDER BY item_id LIMIT $most
"""
_ITEM_VERSIONS = """
    SELECT landed_on, title, brand, price, left(description, 20000) AS description, path FROM items
    WHERE item_id = $item ORDER BY landed_on DESC NULLS LAST, item_hash LIMIT $most
"""
_CONTENTS = "SELECT modality, content_hash, reason FROM contents WHERE item_id = $item"
_TRIED = """
    SELECT source, state, detail, width, height, checked_on FROM attempts WHERE item_id = $item
    ORDER BY source LIMIT $most
"""
_SIMILAR = "SELECT similar_item_id AS item_id, score FROM alike WHERE item_id = $item ORDER BY rank LIMIT 12"
_SHOWN_TO = """
    SELECT user_id, rank FROM slates WHERE item_id = $item AND user_id > $after AND user_id <= $last
    ORDER BY user_id LIMIT $most
"""


def find_items(partitions: Partitions, night: date, words: str, after: str = "") -> ItemsPage:
    """A page of the items of whose title, as of the night, every word is a part; all items for no word."""
    asked = words[:200].lower().split()[:_WORDS]
    values = {"night": night, "words": asked or [""], "after": after, "most": PAGE + 1}
    found = [row["item_id"] for row in partitions.rows(_FOUND, {"items": ITEM_VERSIONS}, **values)]
    shown = found[:PAGE]
    card_of = cards(partitions, night, shown)
    return ItemsPage([card_of[item] for item in shown], shown[-1] if len(found) > PAGE else "")


def item(partitions: Partitions, nights: list[date], night: date, item_id: str, after: str = "") -> Item:
    """The item at the night's cut; UsageError where nothing is known of this id."""
    landed = partitions.rows(_ITEM_VERSIONS, {"items": ITEM_VERSIONS}, item=item_id, most=_VERSIONS)
    states = partitions.rows(_CONTENTS, {"contents": contents(night)}, item=item_id)
    if not landed and not states:
        raise UsageError(f"No item has the id {clip(item_id, 60)!r}: find one by words of its title.")
    alike = partitions.rows(_SIMILAR, {"alike": similar(night)}, item=item_id)
    people, go_on = _shown_to(partitions, night, item_id, after)
    shown_on = [exposure(partitions, day, item_id) for day in [day for day in nights if day <= night][:NIGHTS]]
    card_of = cards(partitions, night, [item_id, *(row["item_id"] for row in alike)])
    text = next((row for row in states if row["modality"] == "text"), {})
    return Item(
        card=card_of[item_id],
        night=night,
        versions=[_version(row) for row in landed],
        text_state=text.get("reason") or ("there" if text.get("content_hash") else "none"),
        attempts=_attempts(partitions, item_id),
        similar=[(row["score"], card_of[row["item_id"]]) for row in alike],
        had=shown_on[0].had if shown_on else None,
        shown_to=people,
        after=go_on,
        exposure=shown_on,
    )


def _version(row: dict[str, Any]) -> Version:
    shortened = clip(row["description"] or "", LONG_TEXT)
    brand = clip(row["brand"] or "", TITLE)
    return Version(row["landed_on"], title_of(row["title"]), brand, row["price"], shortened, clip(row["path"], TITLE))


def _attempts(partitions: Partitions, item_id: str) -> list[dict[str, Any]]:
    """What was tried for a picture; of an address the beginning, as text."""
    tried = partitions.rows(_TRIED, {"attempts": IMAGE_ATTEMPTS}, item=item_id, most=_ATTEMPTS)
    return [row | {"source": clip(row["source"], TITLE), "detail": clip(row["detail"] or "", TITLE)} for row in tried]


def _shown_to(partitions: Partitions, night: date, item_id: str, after: str) -> tuple[list[tuple[str, int]], str]:
    """Some of the people who are shown it, with its rank, and where to go on: a few row groups are looked through."""
    groups = [(first, last) for first, last in partitions.bounds(slates(night), "user_id") if last > after]
    if not groups:
        return [], ""
    end = groups[min(_GROUPS, len(groups)) - 1][1]
    values = {"item": item_id, "after": after, "last": end, "most": SHOWN_TO + 1}
    rows = partitions.rows(_SHOWN_TO, {"slates": slates(night)}, **values)
    people = [(row["user_id"], row["rank"]) for row in rows[:SHOWN_TO]]
    if len(rows) > SHOWN_TO:
        return people, people[-1][0]
    return people, end if len(groups) > _GROUPS else ""
