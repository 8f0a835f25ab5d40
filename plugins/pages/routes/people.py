"""People: found, one of them beside another night or other recipes, and why each place of a slate is there."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from plugins.pages import links
from plugins.pages.jobs import Jobs
from plugins.pages.rendering import render
from recsys_jobs.lake.partitions import Partitions, open_partitions
from recsys_jobs.pages.cards import cards
from recsys_jobs.pages.people import SLICES, find_people, random_person
from recsys_jobs.pages.person import Person, Place, gone, item_ranks, person, with_changes
from recsys_jobs.pages.sources import choose_night, published_nights, user_id_of

router = APIRouter()
jobs = Jobs()
_WAIT = {"Refresh": "3"}  # seconds, after which the browser asks again by itself


@router.get("/people")
def people(request: Request, night: str = "", q: str = "", slice: str = "all", after: str = "") -> Response:
    """People by the beginning of their id and by slice."""
    nights = published_nights()
    day = choose_night(night, nights)
    with open_partitions() as partitions:
        start = user_id_of(partitions, day, after)
        found = find_people(partitions, day, q.strip()[:1000], slice, start)
    return render(
        request, "people.html", title="People", found=found, night=day, nights=nights, q=q.strip(), slice=slice,
        slices=SLICES, after=after,
    )  # fmt: skip


@router.get("/people/random")
def somebody(request: Request, night: str = "", slice: str = "all") -> Response:
    """On to someone drawn at random."""
    day = choose_night(night, published_nights())
    with open_partitions() as partitions:
        user = random_person(partitions, day, slice, random.Random())
    root = request.scope.get("root_path", "").rstrip("/")
    return RedirectResponse(links.page(root, "person", id=user, night=day), status_code=303)


@router.get("/person")
def one(request: Request, id: str, night: str = "", beside: str = "", page: int = 1) -> Response:
    """A person's history and slate, maybe beside those of another night."""
    nights = published_nights()
    day = choose_night(night, nights)
    with open_partitions() as partitions:
        shown = person(partitions, day, user_id_of(partitions, day, id), page)
        other = _other_night(partitions, beside, nights, shown)
    slate = with_changes(shown.slate, item_ranks(other.slate)) if other else shown.slate
    lost = gone(other.slate, item_ranks(shown.slate)) if other else []
    return render(
        request, "person.html", title="Person", person=shown, slate=slate, other=other, gone={p.rank for p in lost},
        nights=nights,
    )  # fmt: skip


def _other_night(partitions: Partitions, beside: str, nights: list[date], shown: Person) -> Person | None:
    if not beside:
        return None
    return person(partitions, choose_night(beside, nights), shown.user_id)


@router.get("/person/why")
def why(request: Request, id: str, night: str = "") -> Response:
    """Why each place of the slate is there; a job reads the model, and the page asks again until it is done."""
    nights = published_nights()
    day = choose_night(night, nights)
    with open_partitions() as partitions:
        shown = person(partitions, day, user_id_of(partitions, day, id))
        answer = jobs.ask("recsys_jobs.commands.why.slate_terms", f"--user={shown.user_id}", f"--run-date={day}")
        places = (answer.result or {}).get("places", [])
        named = [place["item"] for place in places] + [term[1] for term in _item_terms(places)]
        card_of = cards(partitions, day, named)
    response = render(
        request, "why.html", title="Why", person=shown, answer=answer, places=places, cards=card_of,
        largest=_largest(places), recipe=(answer.result or {}).get("recipe", ""),
    )  # fmt: skip
    return asking_again(response, answer.is_waiting)


def _item_terms(places: list[dict[str, Any]]) -> list[list[Any]]:
    return [term for place in places for group in place["groups"] for term in group["terms"] if term[0] == "item"]


def _largest(places: list[dict[str, Any]]) -> float:
    """The largest term of any place, which all bars are drawn against."""
    values = [abs(term[2]) for place in places for group in place["groups"] for term in group["terms"]]
    return max(values, default=1.0) or 1.0


@router.get("/person/recipes")
def recipes(request: Request, id: str, night: str = "") -> Response:
    """The person's slates under the recipes that the night held against each other, side by side."""
    nights = published_nights()
    day = choose_night(night, nights)
    with open_partitions() as partitions:
        user = user_id_of(partitions, day, id)
        shown = person(partitions, day, user)
        answer = jobs.ask("recsys_jobs.commands.recommend.exam_slates", f"--user={user}", f"--run-date={day}")
        result = answer.result or {"recipes": [], "taken": {}, "cut": ""}
        columns = _columns(partitions, day, result, user)
    response = render(
        request, "recipes.html", title="Under each recipe", person=shown, answer=answer, columns=columns,
        taken=set(result["taken"].get(user, [])), cut=result["cut"],
    )  # fmt: skip
    return asking_again(response, answer.is_waiting)


def _columns(
    partitions: Partitions, day: date, result: dict[str, Any], user: str
) -> list[tuple[str, str, list[Place]]]:
    """Role, recipe and slate of each column; changes are against the first."""
    slates = [(recipe["role"], recipe["name"], recipe["slates"].get(user, [])) for recipe in result["recipes"]]
    card_of = cards(partitions, day, [item for *_, items in slates for item in items])
    columns: list[tuple[str, str, list[Place]]] = []
    for role, name, items in slates:
        places = [Place(rank, None, card_of[item]) for rank, item in enumerate(items, 1)]
        ranks = {item: rank for rank, item in enumerate(slates[0][2], 1)}
        columns.append((role, name, with_changes(places, ranks) if columns else places))
    return columns


def asking_again(response: Response, is_waiting: bool) -> Response:
    """The response, which the browser asks for again by itself while a job is at work."""
    if is_waiting:
        response.headers.update(_WAIT)
    return response
