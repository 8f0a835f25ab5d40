"""The report's sections: a heading, what to make of it, a plot, a table."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import duckdb

from recsys_jobs.night.report import pictures
from recsys_jobs.night.report.drift import Drift
from recsys_jobs.night.report.numbers import Numbers, numbers
from recsys_jobs.night.report.stages import Stage
from recsys_jobs.night.report_page import Section

_SHARES = {"text", "description", "image", "graph", "people with a review"}
_COLD_SHARES = {"cold people", "places of cold items", "cold items"}


def sections(
    connection: duckdb.DuckDBPyConnection, nights: list[date], k: int, drift: Drift | None, stages: Sequence[Stage]
) -> Iterator[Section]:
    """Every section of the report of the last of `nights`."""

    def ask(name: str) -> Numbers:
        return numbers(connection, name, nights, k)

    yield from _metrics(ask("metrics"), k)
    yield _drift(drift)
    yield _most_shown(ask("most_shown"))
    yield _cold(ask("cold"))
    yield _volumes(ask("volumes"))
    yield from _landed(ask("files"), ask("quarantine"), ask("refused"))
    yield from _coverage(ask("coverage"), ask("absent"))
    yield _stages(stages)


def _metrics(table: Numbers, k: int) -> Iterator[Section]:
    for metric in ("ndcg", "recall"):
        rows = [row for row in table.rows if row[2] == metric]
        shown = [
            (night, recipe, f"{v:.4f}", _interval(low, high), users) for night, recipe, _, v, low, high, users in rows
        ]
        picture = pictures.metric_by_night(rows, f"{metric}@{k}") if rows else None
        columns = ("night", "recipe", f"{metric}@{k}", "95 % interval", "users")
        yield Section(
            f"{metric}@{k} by night", "Each night has its own holdout and its own users.", columns, shown, picture
        )


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None else f"[{low:.4f}, {high:.4f}]"


def _drift(drift: Drift | None) -> Section:
    heading = "Against the night before"
    if drift is None:
        return Section(heading, "This is the first night.")
    told = (
        "not compared: another model was published" if drift.score_distance is None else f"{drift.score_distance:.4f}"
    )
    rows = [
        ("people of both nights", f"{len(drift.overlap_U):,}"),
        ("places shown again, mean over people", "" if drift.overlap is None else f"{drift.overlap:.1%}"),
        ("distance of the scores (Kolmogorov-Smirnov)", told),
    ]
    note = f"The night before is {drift.before}. Items that a person has had since do not count."
    return Section(heading, note, ("", ""), rows, pictures.drift_panels(drift))


def _most_shown(table: Numbers) -> Section:
    rows = [(item, html.unescape(title), *counts) for item, title, *counts in table.rows]  # dumps are full of entities
    return Section("Items on the most slates", "", table.columns, rows)


def _cold(table: Numbers) -> Section:
    note = "Cold: no event in the core of the night's cut. Such people and items are served by content and graph."
    picture = pictures.by_night(table, sorted(_COLD_SHARES), "shares of what is cold", share=True)
    return Section("Cold people and items served", note, table.columns, _percent(table, _COLD_SHARES), picture)


def _volumes(table: Numbers) -> Section:
    picture = pictures.by_night(table, ("people", "eligible items", "pairs", "core pairs"), "what the cuts hold")
    return Section("Volumes", "", table.columns, table.rows, picture)


def _landed(files: Numbers, quarantine: Numbers, refused: Numbers) -> Iterator[Section]:
    note = "Files landed by this night, or at an unknown date. New ones landed after the night before."
    yield Section("Files", note, files.columns, files.rows)
    if refused.rows:
        yield Section("Refused files", "Nothing of them is in.", refused.columns, refused.rows)
    picture = pictures.bars(quarantine.column("reason"), quarantine.column("rows"), "rows") if quarantine.rows else None
    note = "" if quarantine.rows else "Nothing is in quarantine."
    yield Section("Quarantine by reason", note, quarantine.columns, quarantine.rows, picture)


def _coverage(table: Numbers, absent: Numbers) -> Iterator[Section]:
    picture = pictures.by_night(
        table, [name for name in table.columns if name in _SHARES], "share that has it", share=True
    )
    note = "Shares of the eligible items, and of the people. Graph: an edge to another item."
    yield Section("Modality coverage", note, table.columns, _percent(table, _SHARES), picture)
    yield Section("Contents that are missing or stand in", "", absent.columns, absent.rows)


def _percent(table: Numbers, shares: set[str]) -> list[tuple[Any, ...]]:
    return [
        tuple(f"{v or 0:.1%}" if name in shares else v for name, v in zip(table.columns, row, strict=True))
        for row in table.rows
    ]


def _stages(stages: Sequence[Stage]) -> Section:
    timed = [stage for stage in stages if stage.seconds is not None]
    note = "" if timed else "Times are known where Airflow ran the night: this report was made by hand."
    rows = [
        (s.task, "" if s.seconds is None else f"{s.seconds:,.1f}", "" if s.rows is None else s.rows) for s in stages
    ]
    picture = pictures.bars([s.task for s in timed], [s.seconds or 0.0 for s in timed], "seconds") if timed else None
    return Section("Time and rows by stage", note, ("task", "seconds", "rows that it left"), rows, picture)
