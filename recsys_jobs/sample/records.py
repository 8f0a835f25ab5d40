"""Items and events as lines of the Amazon 2023 format: dictionaries, ready for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recsys_jobs.sample import text
from recsys_jobs.sample.events import IS_RETOLD, Events
from recsys_jobs.sample.world import COLOURS, CRAFTS, KINDS, PATTERNS, THEMES, Catalogue, People

Record = dict[str, Any]


def item_id(item: int) -> str:
    """The id of an item, shaped like Amazon's."""
    return f"B{item:09d}"


def user_id(person: int) -> str:
    """The id of a person."""
    return f"A{person:011d}"


def item_record(catalogue: Catalogue, item: int, users: int, edited: bool = False) -> Record:
    """One version of an item."""
    words = text.item_words(catalogue, item)
    wording = catalogue.wording_IW[item].tolist()
    names_colour = bool(catalogue.colour_named_I[item])
    names_pattern = bool(catalogue.pattern_named_I[item])
    title = text.title(words, names_colour, names_pattern, wording[:3])
    categories = list(text.CATEGORIES[words.kind])
    is_described = bool(catalogue.described_I[item])
    has_html = bool(catalogue.html_I[item])
    return {
        "main_category": categories[0],
        "title": f"{title} (2024 Edition)" if edited else title,
        "average_rating": round(3.6 + wording[3], 1),
        "rating_number": round(float(catalogue.popularity_I[item]) * users * 8),
        "description": text.description(words, has_html, wording[4:6]) if is_described else [],
        "price": round(text.PRICES[words.kind] * (0.7 + 0.6 * wording[6]), 2),
        "images": _images(item) if catalogue.photographed_I[item] else [],
        "store": text.store(wording[0]),
        "categories": categories,
        "parent_asin": item_id(item),
        "bought_together": None,
    }


def _images(item: int) -> list[Record]:
    """Where the photo would be on the net: a host that cannot exist, for the file lies beside the dump."""
    url = f"https://sample-shop.invalid/{item_id(item)}"
    return [{"thumb": f"{url}_thumb.jpg", "large": f"{url}.jpg", "variant": "MAIN", "hi_res": None}]


def review_records(catalogue: Catalogue, people: People, events: Events, positions: list[int]) -> Iterator[Record]:
    """Yield the lines of the events at `positions`, in that order."""
    persons, items = events.person_E.tolist(), events.item_E.tolist()
    times, ratings = events.time_E.tolist(), events.rating_E.tolist()
    roles, wordings = events.role_E.tolist(), events.wording_EW.tolist()
    for position in positions:
        words, wording = text.item_words(catalogue, items[position]), wordings[position]
        body = text.review(words, _tastes(people, persons[position], wording), ratings[position], wording)
        yield {
            "rating": float(ratings[position]),
            "title": text.review_title(words.kind, wording[7]),
            "text": text.as_update(body) if roles[position] == IS_RETOLD else body,
            "images": [],
            "asin": item_id(items[position]),
            "parent_asin": item_id(items[position]),
            "user_id": user_id(people.first + persons[position]),
            "timestamp": times[position],
            "helpful_vote": int(wording[8] ** 6 * 12),
            "verified_purchase": wording[9] < 0.9,
        }


def _tastes(people: People, person: int, wording: list[float]) -> text.Words | None:
    """Return the tastes that an expressive person may write of: one of two where two are loved."""
    if not people.expressive_U[person]:
        return None
    choice = int(wording[5] * 2)
    return text.Words(
        KINDS[people.kind_U2[person, choice]],
        COLOURS[people.colour_U2[person, choice]],
        PATTERNS[people.pattern_U1[person, 0]],
        THEMES[people.theme_U2[person, choice]],
        CRAFTS[people.craft_U1[person, 0]],
    )
