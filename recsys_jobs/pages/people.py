"""Finds people of a night: by how their id begins, at random, or by a slice; a page looks at a thousand or so."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.lake.partitions import Partitions
from recsys_jobs.pages.sources import contents, histories, slates

PAGE = 40  # people shown
_CHUNK, _CHUNKS = 600, 2  # people looked at in one read, and reads at most, for one page of a slice
FEW, MANY = 2, 12  # events of a cold and of a heavy person


@dataclass(frozen=True)
class PersonRow:
    """A person and what their history is like."""

    user_id: str
    events: int
    with_picture: int
    last_event: datetime | None


@dataclass(frozen=True)
class PeoplePage:
    """Some people; `after` is where the next page begins, empty at the end; `searched` how many were looked at."""

    people: list[PersonRow]
    after: str
    searched: int


SLICES: dict[str, tuple[str, Callable[[PersonRow], bool]]] = {
    "all": ("everybody", lambda person: True),
    "cold": (f"at most {FEW} events", lambda person: person.events <= FEW),
    "heavy": (f"{MANY} events and more", lambda person: person.events >= MANY),
    "no_pictures": ("nothing they had has a picture", lambda person: person.with_picture == 0),
}

_IDS = """
    SELECT user_id FROM slates WHERE rank = 1 AND user_id > $after AND starts_with(user_id, $prefix)
    ORDER BY user_id LIMIT $most
"""
_HISTORIES = """
    WITH events AS (
        SELECT user_id, item_id, interacted_at FROM histories
        WHERE user_id BETWEEN $first AND $last AND user_id IN (SELECT unnest($users))
    ), pictured AS (
        SELECT DISTINCT item_id FROM contents
        WHERE modality = 'image' AND content_hash IS NOT NULL AND item_id IN (SELECT item_id FROM events)
    )
    SELECT user_id, count(*) AS events, count(pictured.item_id) AS with_picture, max(interacted_at) AS last_event
    FROM events LEFT JOIN pictured USING (item_id) GROUP BY user_id ORDER BY user_id
"""

_PICTURED = """
    SELECT item_id FROM contents
    WHERE item_id IN (SELECT unnest($items)) AND modality = 'image' AND content_hash IS NOT NULL
"""


def find_people(partitions: Partitions, night: date, prefix: str, slice_name: str, after: str) -> PeoplePage:
    """A page of the people whose id begins like this and who are of the slice; UsageError for an unknown slice."""
    if slice_name not in SLICES:
        raise UsageError(f"There is no slice of this name: choose {', '.join(SLICES)}.")
    belongs = SLICES[slice_name][1]
    found: list[PersonRow] = []
    searched, chunk = 0, PAGE + 1 if slice_name == "all" else _CHUNK
    for _ in range(_CHUNKS):
        ids = _ids(partitions, night, prefix, after, chunk)
        for person in _with_histories(partitions, night, ids):
            if len(found) == PAGE:
                return PeoplePage(found, found[-1].user_id, searched)
            searched, after = searched + 1, person.user_id
            found += [person] if belongs(person) else []
        if len(ids) < chunk:
            return PeoplePage(found, "", searched)
    return PeoplePage(found, after, searched)


def random_person(partitions: Partitions, night: date, slice_name: str, generator: random.Random) -> str:
    """The id of someone of the slice, the first after a place drawn at random; UsageError where nobody is near."""
    start = partitions.random_value(slates(night), "user_id", generator)
    if start is None:
        raise UsageError(f"The night of {night} shows nobody anything.")
    if slice_name in ("", "all"):
        return str(start)
    for after in (start, ""):
        if people := find_people(partitions, night, "", slice_name, after).people:
            return generator.choice(people).user_id
    raise UsageError(f"Nobody of the slice {slice_name} was found near the place drawn: draw again.")


def _ids(partitions: Partitions, night: date, prefix: str, after: str, most: int) -> list[str]:
    found = partitions.rows(_IDS, {"slates": slates(night)}, prefix=prefix, after=after, most=most)
    return [row["user_id"] for row in found]


def people_rows(partitions: Partitions, night: date, ids: list[str]) -> list[PersonRow]:
    """These people, in order of their ids, with what their histories are like."""
    return _with_histories(partitions, night, sorted(ids))


def people_of_histories(partitions: Partitions, night: date, had: dict[str, list[str]]) -> list[PersonRow]:
    """These people from the items that they had, which were read already."""
    items = sorted({item for items in had.values() for item in items})
    found = partitions.rows(_PICTURED, {"contents": contents(night)}, items=items)
    pictured = {row["item_id"] for row in found}
    return [PersonRow(user, len(items), len(pictured.intersection(items)), None) for user, items in had.items()]


def _with_histories(partitions: Partitions, night: date, ids: list[str]) -> list[PersonRow]:
    if not ids:
        return []
    sources = {"histories": histories(night), "contents": contents(night)}
    found = partitions.rows(_HISTORIES, sources, users=ids, first=ids[0], last=ids[-1])
    by_id = {row["user_id"]: PersonRow(**row) for row in found}
    return [by_id.get(user, PersonRow(user, 0, 0, None)) for user in ids]
