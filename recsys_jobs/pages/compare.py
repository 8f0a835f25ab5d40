"""Two nights side by side, on people drawn in blocks over the ids: what is shown again, what rose and fell, by slice.

U people of both nights.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from recsys_jobs.lake.partitions import Partitions, Source
from recsys_jobs.pages.cards import Card, cards
from recsys_jobs.pages.people import SLICES, people_of_histories, people_rows
from recsys_jobs.pages.sources import histories, slates

PEOPLE, BLOCKS = 600, 3  # people looked at, and runs of ids that they are taken from
_ITEMS, _PEOPLE, _BINS = 12, 24, 10
_PLACES = 64  # of a slate, at most, as far as finding where a block ends goes
_BATCH = 32_768  # rows


@dataclass(frozen=True)
class Moved:
    """An item, and on which share of the slates it stands in each of the two."""

    card: Card
    before: float
    now: float


@dataclass(frozen=True)
class SliceOverlap:
    """The mean share of places shown again to the people of a slice."""

    name: str
    note: str
    people: int
    overlap: float


@dataclass(frozen=True)
class Comparison:
    """What changed from one slate to the other, over `people` of the `of` that have one."""

    people: int
    of: int
    overlap: float | None
    bins: list[int]  # people by overlap: the first bin has those below 10 %, the last those of 90 % and more
    rose: list[Moved]
    fell: list[Moved]
    slices: list[SliceOverlap]
    most_changed: list[tuple[str, float]]


Slates = dict[str, list[str]]  # items by person, in order of rank

_SLATES = """
    SELECT user_id, list(item_id ORDER BY rank) AS items FROM slates
    WHERE user_id BETWEEN $first AND $last GROUP BY user_id ORDER BY user_id LIMIT $most
"""
_HAD = """
    SELECT user_id, list(item_id) AS items FROM histories WHERE user_id BETWEEN $first AND $last GROUP BY user_id
"""


def compare_nights(partitions: Partitions, before: date, now: date) -> Comparison:
    """The two nights, on the same people; items that someone has had since do not count."""
    old: Slates = {}
    new: Slates = {}
    had: Slates = {}
    for first, last in _blocks(partitions, slates(now)):
        span = {"first": first, "last": last}
        old |= _by_person(partitions.rows(_SLATES, {"slates": slates(before)}, **span, most=PEOPLE))
        new |= _by_person(partitions.rows(_SLATES, {"slates": slates(now)}, **span, most=PEOPLE))
        had |= _by_person(partitions.rows(_HAD, {"histories": histories(now)}, **span))
    wanted = {user: [item for item in items if item not in had.get(user, ())] for user, items in old.items()}
    k = max(map(len, new.values()), default=1)
    return comparison(partitions, now, wanted, new, partitions.count(slates(now)) // k, had)


def _blocks(partitions: Partitions, source: Source) -> list[tuple[str, str]]:
    """The first and the last id of each block: spread over the row groups, which are in order of the ids."""
    groups = partitions.row_groups(source)
    chosen = groups if len(groups) <= BLOCKS else [groups[n * len(groups) // BLOCKS] for n in range(BLOCKS)]
    blocks = []
    for group in chosen:
        people = PEOPLE // len(chosen)
        ids = group.head(people * _PLACES, columns=["user_id"], batch_size=_BATCH)["user_id"].unique()
        last = min(people, len(ids)) - 1
        blocks += [(ids[0].as_py(), ids[last].as_py())] if len(ids) else []
    return blocks


def _by_person(rows: list[dict[str, object]]) -> Slates:
    return {str(row["user_id"]): list(row["items"]) for row in rows}  # type: ignore[call-overload]


def comparison(
    partitions: Partitions, night: date, old: Slates, new: Slates, of: int, had: Slates | None = None
) -> Comparison:
    """The slates of people who have both; titles, pictures and slices are of the night, whose histories `had` is."""
    overlap_of = {user: _overlap(old[user], new[user]) for user in sorted(old.keys() & new.keys()) if old[user]}
    values = list(overlap_of.values())
    moved = _moved(partitions, night, [old[user] for user in overlap_of], [new[user] for user in overlap_of])
    bins = [0] * _BINS
    for value in values:
        bins[min(int(value * _BINS), _BINS - 1)] += 1
    return Comparison(
        people=len(values),
        of=max(of, len(values)),
        overlap=sum(values) / len(values) if values else None,
        bins=bins,
        rose=[item for item in moved if item.now > item.before][:_ITEMS],
        fell=[item for item in reversed(moved) if item.now < item.before][:_ITEMS],
        slices=_slices(partitions, night, overlap_of, had),
        most_changed=sorted(overlap_of.items(), key=lambda pair: (pair[1], pair[0]))[:_PEOPLE],
    )


def _overlap(old: list[str], new: list[str]) -> float:
    return len(set(old) & set(new)) / len(old)


def _moved(partitions: Partitions, night: date, old: list[list[str]], new: list[list[str]]) -> list[Moved]:
    """The items that changed most, those that rose first, those that fell last."""
    before, now = _shares(old), _shares(new)
    by_change = sorted(before.keys() | now.keys(), key=lambda i: (before.get(i, 0.0) - now.get(i, 0.0), i))
    ends = by_change if len(by_change) <= 2 * _ITEMS else by_change[:_ITEMS] + by_change[-_ITEMS:]
    card_of = cards(partitions, night, ends)
    return [Moved(card_of[item], before.get(item, 0.0), now.get(item, 0.0)) for item in ends]


def _shares(slates_of_people: list[list[str]]) -> dict[str, float]:
    counts: dict[str, int] = {}
    for items in slates_of_people:
        for item in items:
            counts[item] = counts.get(item, 0) + 1
    return {item: count / len(slates_of_people) for item, count in counts.items()}


def _slices(
    partitions: Partitions, night: date, overlap_of: dict[str, float], had: Slates | None
) -> list[SliceOverlap]:
    if had is None:
        people = people_rows(partitions, night, list(overlap_of))
    else:
        people = people_of_histories(partitions, night, {user: had.get(user, []) for user in overlap_of})
    found = []
    for name, (note, belongs) in SLICES.items():
        values = [overlap_of[person.user_id] for person in people if belongs(person)]
        if values:
            found.append(SliceOverlap(name, note, len(values), sum(values) / len(values)))
    return found
