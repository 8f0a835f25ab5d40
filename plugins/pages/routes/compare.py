"""Two nights side by side, or two recipes of one night."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter, Request, Response

from plugins.pages.jobs import Answer
from plugins.pages.rendering import render
from plugins.pages.routes.people import asking_again, jobs
from recsys_jobs.lake.partitions import open_partitions
from recsys_jobs.pages.compare import PEOPLE, Comparison, compare_nights, comparison
from recsys_jobs.pages.sources import choose_night, published_nights

router = APIRouter()


@router.get("/compare")
def nights(request: Request, night: str = "", beside: str = "") -> Response:
    """A night against another, the one before unless it is named."""
    published = published_nights()
    day = choose_night(night, published)
    before = next((earlier for earlier in published if earlier < day), day)
    other = choose_night(beside, published) if beside else before
    with open_partitions() as partitions:
        found = compare_nights(partitions, other, day)
    return render(
        request, "compare.html", title="Compare nights", found=found, night=day, other=other, nights=published
    )


@router.get("/compare/recipes")
def recipes(request: Request, night: str = "", old: int = 1, new: int = 0) -> Response:
    """Two recipes that a night held against each other, on people spread over all."""
    published = published_nights()
    day = choose_night(night, published)
    answer = jobs.ask("recsys_jobs.commands.recommend.exam_slates", f"--sample={PEOPLE}", f"--run-date={day}")
    known = (answer.result or {}).get("recipes", [])
    pair = [known[min(max(place, 0), len(known) - 1)] for place in (old, new)] if known else []
    response = render(
        request, "compare_recipes.html", title="Compare recipes", found=_compare(day, answer, pair), answer=answer,
        pair=pair, known=known, old=old, new=new, night=day, nights=published,
    )  # fmt: skip
    return asking_again(response, answer.is_waiting)


def _compare(day: date, answer: Answer, pair: list[dict[str, Any]]) -> Comparison | None:
    if answer.result is None or not pair:
        return None
    with open_partitions() as partitions:
        return comparison(partitions, day, pair[0]["slates"], pair[1]["slates"], len(pair[0]["slates"]))
