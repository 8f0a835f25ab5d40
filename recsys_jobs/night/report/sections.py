"""The report's sections: a heading, a sentence that explains it, a plot, a table."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import duckdb

from recsys_jobs.night.report import pictures
from recsys_jobs.night.report.drift import Drift
from recsys_jobs.night.report.numbers import QueryResult, run_query
from recsys_jobs.night.report.stages import Stage
from recsys_jobs.night.report_page import Section

_SHARES = {"text", "description", "image", "graph", "people with a review"}
_COLD_SHARES = {"cold people", "places of cold items", "cold items"}


def sections(
    connection: duckdb.DuckDBPyConnection, nights: list[date], k: int, drift: Drift | None, stages: Sequence[Stage]
) -> Iterator[Section]:
    """Every section of the report of the last of `nights`."""

    def query(name: str) -> QueryResult:
        return run_query(connection, name, nights, k)

    yield from _metrics(query("metrics"), k)
    yield _drift(drift)
    yield _most_shown(query("most_shown"))
    yield _cold(query("cold"))
    yield _volumes(query("volumes"))
    yield from _files(query("files"), query("quarantine"), query("refused"))
    yield from _coverage(query("coverage"), query("absent"))
    yield _stages(stages)


def _metrics(table: QueryResult, k: int) -> Iterator[Section]:
    for metric in ("ndcg", "recall"):
        rows = [row for row in table.rows if row[2] == metric]
        name = f"{metric}@{k}"
        cells = []
        for night, recipe, _, value, low, high, users in rows:
            cells.append((night, recipe, f"{value:.4f}", _interval(low, high), users))
        picture = pictures.metric_by_night(rows, name) if rows else None
        note = "Each night has its own holdout and its own users."
        columns = ("night", "recipe", name, "95 % interval", "users")
        yield Section(f"{name} by night", note, columns, cells, picture)


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None else f"[{low:.4f}, {high:.4f}]"


def _drift(drift: Drift | None) -> Section:
    heading = "Against the night before"
    if drift is None:
        return Section(heading, "This is the first night.")
    overlap = "" if drift.overlap is None else f"{drift.overlap:.1%}"
    distance = "not compared: another model was published"
    if drift.score_distance is not None:
        distance = f"{drift.score_distance:.4f}"
    rows = [
        ("people of both nights", f"{len(drift.overlap_U):,}"),
        ("places shown again, mean over people", overlap),
        ("distance of the scores (Kolmogorov-Smirnov)", distance),
    ]
    note = f"The night before is {drift.before}. Items that a person has had since do not count."
    return Section(heading, note, ("", ""), rows, pictures.drift_panels(drift))


def _most_shown(table: QueryResult) -> Section:
    rows = [(item, html.unescape(title), *counts) for item, title, *counts in table.rows]  # dumps are full of entities
    return Section("Items on the most slates", "", table.columns, rows)


def _cold(table: QueryResult) -> Section:
    note = "Cold: no event in the core of the night's cut. Such people and items are served by content and graph."
    picture = pictures.by_night(table, sorted(_COLD_SHARES), "shares of what is cold", share=True)
    return Section("Cold people and items served", note, table.columns, _percent(table, _COLD_SHARES), picture)


def _volumes(table: QueryResult) -> Section:
    picture = pictures.by_night(table, ("people", "eligible items", "pairs", "core pairs"), "what the cuts hold")
    return Section("Volumes", "", table.columns, table.rows, picture)


def _files(files: QueryResult, quarantine: QueryResult, refused: QueryResult) -> Iterator[Section]:
    note = "Files landed by this night, or at an unknown date. New ones landed after the night before."
    yield Section("Files", note, files.columns, files.rows)
    if refused.rows:
        yield Section("Refused files", "Nothing of them is in.", refused.columns, refused.rows)
    picture = pictures.bars(quarantine.column("reason"), quarantine.column("rows"), "rows") if quarantine.rows else None
    note = "" if quarantine.rows else "Nothing is in quarantine."
    yield Section("Quarantine by reason", note, quarantine.columns, quarantine.rows, picture)


def _coverage(table: QueryResult, absent: QueryResult) -> Iterator[Section]:
    shares = [name for name in table.columns if name in _SHARES]
    picture = pictures.by_night(table, shares, "share that has it", share=True)
    note = "Shares of the eligible items, and of the people. Graph: an edge to another item."
    yield Section("Modality coverage", note, table.columns, _percent(table, _SHARES), picture)
    yield Section("Contents that are missing or stand in", "", absent.columns, absent.rows)


def _percent(table: QueryResult, shares: set[str]) -> list[tuple[Any, ...]]:
    """The table's rows, the columns `shares` as percentages."""
    is_share = [name in shares for name in table.columns]
    rows = []
    for row in table.rows:
        cells = zip(row, is_share, strict=True)
        rows.append(tuple(f"{value or 0:.1%}" if share else value for value, share in cells))
    return rows


def _stages(stages: Sequence[Stage]) -> Section:
    rows: list[tuple[str, str, int | str]] = []
    for stage in stages:
        seconds = "" if stage.seconds is None else f"{stage.seconds:,.1f}"
        rows.append((stage.task, seconds, "" if stage.rows is None else stage.rows))
    seconds_of = {stage.task: stage.seconds for stage in stages if stage.seconds is not None}
    note = "" if seconds_of else "Times are known where Airflow ran the night: this report was made by hand."
    picture = pictures.bars(list(seconds_of), list(seconds_of.values()), "seconds") if seconds_of else None
    return Section("Time and rows by stage", note, ("task", "seconds", "rows that it left"), rows, picture)
