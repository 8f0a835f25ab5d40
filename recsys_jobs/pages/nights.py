"""The nights, newest first: what each published and why, how it measured, how it drifted, how long it took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from recsys_jobs.contracts.settings import var_dir
from recsys_jobs.contracts.tables import MODEL_METRICS, PROMOTIONS, PUBLICATIONS
from recsys_jobs.lake.partitions import Partitions, Source
from recsys_jobs.pages.sources import published_nights
from recsys_jobs.pages.text import clip

PAGE = 20
_STALE = timedelta(days=2)  # after the end of the newest night; a live night is over within one


@dataclass(frozen=True)
class NightRun:
    """A run of the nightly DAG, as Airflow has it."""

    night: date
    run_id: str
    state: str
    minutes: float | None
    failed: tuple[str, ...] = ()
    running: tuple[str, ...] = ()


@dataclass(frozen=True)
class Interval:
    """A measured value and the ends of its interval."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Night:
    """One row of the table."""

    night: date
    is_published: bool
    run: NightRun | None = None
    published_at: datetime | None = None
    recipe: str = ""
    model: str = ""
    model_run: str = ""
    decision: str = ""
    reason: str = ""
    judged: str = ""
    floor: str = ""
    measured: dict[str, Interval] = field(default_factory=dict)
    k: int = 0
    people: int = 0
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """In a word: red, running, odd (drift beyond a bound, or the floor published), good, absent."""
        if self.run and self.run.state == "failed":
            return "red"
        if self.run and self.run.state in ("running", "queued"):
            return "running"
        if not self.is_published:
            return "absent"
        return "odd" if self.alerts or self.decision in ("failed", "undecided") else "good"

    @property
    def alerts(self) -> list[str]:
        """What drifted too far, a sentence each."""
        return [clip(str(sentence), 300) for sentence in self.report.get("alerts", [])]

    @property
    def model_ndcg(self) -> Interval | None:
        """NDCG of the recipe that the gate judged."""
        return self.measured.get(self.judged)

    @property
    def floor_ndcg(self) -> Interval | None:
        """NDCG of the floor."""
        return self.measured.get(self.floor)

    @property
    def hours_after(self) -> float | None:
        """Hours from the end of the day to its slates."""
        if self.published_at is None:
            return None
        return (self.published_at - _end_of(self.night)).total_seconds() / 3600


@dataclass(frozen=True)
class Freshness:
    """How old what people are shown is: the newest published night, its age since the end of its day."""

    night: date | None
    age: timedelta

    @property
    def is_stale(self) -> bool:
        """Whether a live night should have come since."""
        return self.night is None or self.age > _STALE


@dataclass(frozen=True)
class NightsPage:
    """A page of nights, the newest first."""

    nights: list[Night]
    page: int
    pages: int
    freshness: Freshness


_PUBLICATIONS = "SELECT recipe, model_name, model_version, run_id, users, settings, published_at FROM one"
_DECISIONS = """
    SELECT effective_date, kind, decision, reason, recipe, floor, decided_at FROM promotions
    WHERE effective_date BETWEEN $first AND $last AND kind IN ('gate', 'publish') ORDER BY decided_at
"""
_METRICS = (
    "SELECT recipe, k, value, low, high FROM one WHERE protocol = 'global_time' AND slice = 'all' AND metric = 'ndcg'"
)


def freshness(now: datetime, published: list[date]) -> Freshness:
    """The newest of the published nights, and its age."""
    return Freshness(published[0], now - _end_of(published[0])) if published else Freshness(None, timedelta())


def nights_page(partitions: Partitions, runs: Mapping[date, NightRun], page: int, now: datetime) -> NightsPage:
    """A page of the nights that are published or have a run."""
    published = published_nights()
    days = sorted({*published, *runs}, reverse=True)
    pages = max(1, -(-len(days) // PAGE))
    page = min(max(page, 1), pages)
    shown = days[(page - 1) * PAGE : page * PAGE]
    return NightsPage(nights_of(partitions, shown, published, runs), page, pages, freshness(now, published))


def nights_of(
    partitions: Partitions, days: list[date], published: list[date], runs: Mapping[date, NightRun]
) -> list[Night]:
    """What the lake says of these days, which are in order, newest first."""
    if not days:
        return []
    sources = {"promotions": Source(PROMOTIONS)}
    decisions = partitions.rows(_DECISIONS, sources, first=days[-1], last=days[0])
    return [_night(partitions, day, day in set(published), runs.get(day), decisions) for day in days]


def _night(
    partitions: Partitions, day: date, is_published: bool, run: NightRun | None, decisions: list[dict[str, Any]]
) -> Night:
    gate = _last(decisions, day, "gate")
    judged = {"judged": gate.get("recipe", ""), "floor": gate.get("floor") or "", "decision": gate.get("decision", "")}
    reason = clip(_last(decisions, day, "publish").get("reason") or gate.get("reason", ""), 300)
    if not is_published:
        return Night(day, False, run, reason=reason, **judged, report=report_numbers(day))
    recorded = next(iter(partitions.rows(_PUBLICATIONS, {"one": Source(PUBLICATIONS, day)})), None) or {}
    measured, k = _measured(partitions, day, recorded.get("settings", "{}"))
    version = recorded.get("model_version")
    return Night(
        day,
        True,
        run,
        published_at=recorded.get("published_at"),
        recipe=recorded.get("recipe", ""),
        model=f"{recorded.get('model_name', '')}{f' version {version}' if version else ''}",
        model_run=recorded.get("run_id") or "",
        reason=reason,
        **judged,
        measured=measured,
        k=k,
        people=recorded.get("users", 0),
        report=report_numbers(day),
    )


def _last(decisions: list[dict[str, Any]], day: date, kind: str) -> dict[str, Any]:
    return next((row for row in reversed(decisions) if (row["effective_date"], row["kind"]) == (day, kind)), {})


def _measured(partitions: Partitions, day: date, settings: str) -> tuple[dict[str, Interval], int]:
    """NDCG of each recipe at the published K."""
    rows = partitions.rows(_METRICS, {"one": Source(MODEL_METRICS, day)})
    k = json.loads(settings).get("k") or max((row["k"] for row in rows), default=0)
    return {row["recipe"]: Interval(row["value"], row["low"], row["high"]) for row in rows if row["k"] == k}, k


def report_path(day: date, suffix: str = ".html") -> Path:
    """Where the night's report stands, or with `.json` its numbers."""
    return var_dir() / "reports" / f"night-{day}{suffix}"


def report_numbers(day: date) -> dict[str, Any]:
    """The numbers of the night's report; none where it was not written yet."""
    try:
        numbers = json.loads(report_path(day, ".json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return numbers if isinstance(numbers, dict) else {}


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
