"""The table of nights, and one night."""

from __future__ import annotations

from datetime import UTC, date, datetime

from fastapi import APIRouter, Request, Response

from plugins.pages.rendering import render
from plugins.pages.runs import runs_by_night
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.lake.partitions import open_partitions
from recsys_jobs.pages.night import odd_files, odd_lines, stages
from recsys_jobs.pages.nights import nights_of, nights_page, report_path
from recsys_jobs.pages.sources import published_nights
from recsys_jobs.pages.text import clip

router = APIRouter()


@router.get("/")
def nights(request: Request, page: int = 1) -> Response:
    """A page of the nights."""
    with open_partitions() as partitions:
        shown = nights_page(partitions, runs_by_night(), page, datetime.now(UTC))
    return render(request, "nights.html", title="Nights", shown=shown, has_report=_has_report)


@router.get("/nights/{day}")
def night(request: Request, day: str) -> Response:
    """One night; UsageError where it was neither run nor published."""
    published, runs = published_nights(), runs_by_night()
    chosen = _date(day)
    if chosen not in published and chosen not in runs:
        raise UsageError(f"There was no night of {chosen}.")
    before = next((earlier for earlier in published if earlier < chosen), None)
    with open_partitions() as partitions:
        [shown] = nights_of(partitions, [chosen], published, runs)
        files = odd_files(partitions, chosen, before)
        lines = odd_lines(partitions, files)
    return render(
        request,
        "night.html",
        title=f"Night of {chosen}",
        night=shown,
        before=before,
        stages=stages(chosen, published),
        files=files,
        lines=lines,
        has_report=_has_report,
    )


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{clip(text, 40)!r} is no date: write it as 2014-03-01.") from None


def _has_report(day: date) -> bool:
    return report_path(day).is_file()
