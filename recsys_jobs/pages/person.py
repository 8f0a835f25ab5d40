"""One person on one night: what they had, what they are shown, and what another slate shows them instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.lake.partitions import Partitions
from recsys_jobs.pages.cards import Card, cards
from recsys_jobs.pages.sources import histories, slates
from recsys_jobs.pages.text import clip

EVENTS = 24  # of a history on one page


@dataclass(frozen=True)
class Place:
    """One place of a slate. `change` is against another slate: new, same, up 3, down 2, gone; empty without one."""

    rank: int
    score: float | None
    card: Card
    change: str = ""


@dataclass(frozen=True)
class Event:
    """One thing a person had."""

    interacted_at: datetime
    rating: float
    card: Card


@dataclass(frozen=True)
class Person:
    """A person's slate of a night and a page of their history, the newest first."""

    user_id: str
    night: date
    model: str
    slate: list[Place]
    history: list[Event]
    events: int
    page: int

    @property
    def pages(self) -> int:
        """How many pages the history has."""
        return max(1, -(-self.events // EVENTS))


_SLATE = """
    SELECT rank, item_id, score, model_name, model_version FROM slates WHERE user_id = $user ORDER BY rank
"""
_HISTORY = """
    SELECT item_id, interacted_at, rating, count(*) OVER () AS events FROM histories WHERE user_id = $user
    ORDER BY interacted_at DESC, item_id LIMIT $most OFFSET $skipped
"""


def person(partitions: Partitions, night: date, user: str, page: int = 1) -> Person:
    """The person's slate and history; UsageError where the night has neither for this id."""
    places = partitions.rows(_SLATE, {"slates": slates(night)}, user=user)
    sources, skipped = {"histories": histories(night)}, (max(page, 1) - 1) * EVENTS
    history = partitions.rows(_HISTORY, sources, user=user, most=EVENTS, skipped=skipped)
    if not places and not history:
        raise UsageError(
            f"The night of {night} shows nobody of the id {clip(user, 60)!r} anything: find people by the beginning "
            "of their id. Who had nothing before that night is served popular_items."
        )
    card_of = cards(partitions, night, [row["item_id"] for row in places + history])
    return Person(
        user,
        night,
        _model(places),
        [Place(row["rank"], row["score"], card_of[row["item_id"]]) for row in places],
        [Event(row["interacted_at"], row["rating"], card_of[row["item_id"]]) for row in history],
        history[0]["events"] if history else 0,
        max(page, 1),
    )


def _model(places: list[dict[str, object]]) -> str:
    if not places:
        return ""
    version = places[0]["model_version"]
    return f"{places[0]['model_name']}{f' version {version}' if version else ''}"


def item_ranks(slate: list[Place]) -> dict[str, int]:
    """The rank of each item."""
    return {place.card.item_id: place.rank for place in slate}


def with_changes(slate: list[Place], other: dict[str, int]) -> list[Place]:
    """The slate, each place marked with what it is against the ranks of another one."""
    return [Place(p.rank, p.score, p.card, _change(p.rank, other.get(p.card.item_id))) for p in slate]


def _change(rank: int, other: int | None) -> str:
    if other is None:
        return "new"
    if rank == other:
        return "same"
    return f"up {other - rank}" if rank < other else f"down {rank - other}"


def gone(slate: list[Place], other: dict[str, int]) -> list[Place]:
    """The places of a slate whose items are not among the ranks of another one."""
    return [Place(p.rank, p.score, p.card, "gone") for p in slate if p.card.item_id not in other]
