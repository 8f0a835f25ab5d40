"""One user's history and slate, with titles: what a person looks at to see whether it makes sense."""

from __future__ import annotations

import html
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from recsys_jobs.contracts.errors import UsageError, sanitize
from recsys_jobs.lake.sql import connect

_LATEST = "SELECT max(run_date) FROM recommendations WHERE $date IS NULL OR run_date = $date"

# a history long enough to have a taste, short enough to read
_TYPICAL_USER = """
    SELECT user_id FROM interactions WHERE as_of = $date
    GROUP BY user_id HAVING count(*) >= 4 ORDER BY abs(count(*) - 8), user_id LIMIT 1
"""

# the version of each item in force at the cut: the latest landed, then the smallest hash
_TITLES = """
    SELECT item_id, title FROM items WHERE landed_on IS NULL OR landed_on <= $date
    QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY landed_on DESC NULLS LAST, item_hash) = 1
"""

_HISTORY = f"""
    WITH titles AS ({_TITLES})
    SELECT CAST(interacted_at AS DATE) AS day, rating, item_id, coalesce(title, '(no title)') AS title
    FROM interactions LEFT JOIN titles USING (item_id)
    WHERE as_of = $date AND user_id = $user ORDER BY interacted_at, item_id
"""  # noqa: S608 - the parts are constants of this module

_SLATE = f"""
    WITH titles AS ({_TITLES})
    SELECT rank, score, item_id, coalesce(title, '(no title)') AS title, model_name, model_version
    FROM recommendations LEFT JOIN titles USING (item_id)
    WHERE run_date = $date AND user_id = $user ORDER BY rank
"""  # noqa: S608


def show_slate(user: str | None = None, run_date: date | None = None, picture: Path | None = None) -> None:
    """Print the history and the slate of `user` (else of someone with a middling history) on `run_date`.

    With `picture`, draw both with their photos into that PNG file too.
    """
    connection = connect()
    day = connection.execute(_LATEST, {"date": run_date}).fetchall()[0][0]
    if day is None:
        raise UsageError(f"nothing is published{f' for {run_date}' if run_date else ' yet'}: run a night first")
    user = user or _typical_user(connection, day)
    history = history_of(connection, day, user)
    slate = slate_of(connection, day, user)
    if not slate:
        raise UsageError(f"user {user!r} has no slate on {day}: popular_items serves people we do not know")
    _print(user, day, history, slate)
    if picture:
        from recsys_jobs.commands.show.slate_picture import draw

        owned = [(item, title) for _, _, item, title in history[-len(slate) :]]
        shown = [(item, title) for _, _, item, title, *_ in slate]
        draw(connection, day, {f"What {user} had": owned, "What the night shows": shown}, picture)


def history_of(connection: duckdb.DuckDBPyConnection, day: date, user: str) -> list[tuple[Any, ...]]:
    """Return what the user had at the cut `day`, oldest first: day, stars, item, title."""
    return _rows(connection, _HISTORY, day, user)


def slate_of(connection: duckdb.DuckDBPyConnection, day: date, user: str) -> list[tuple[Any, ...]]:
    """Return what the night of `day` shows the user, best first: rank, score, item, title, model's name and version."""
    return _rows(connection, _SLATE, day, user)


def titles_of(connection: duckdb.DuckDBPyConnection, day: date) -> dict[str, str]:
    """Return the title of each item at the cut `day`, empty where it has none."""
    rows = connection.execute(_TITLES, {"date": day}).fetchall()
    return {item: html.unescape(title or "") for item, title in rows}


def _typical_user(connection: duckdb.DuckDBPyConnection, day: date) -> str:
    row = connection.execute(_TYPICAL_USER, {"date": day}).fetchone()
    if row is None:
        raise UsageError(f"no user has four events before the end of {day}: name one")
    return str(row[0])


def _rows(connection: duckdb.DuckDBPyConnection, query: str, day: date, user: str) -> list[tuple[Any, ...]]:
    """Return rows whose fourth column, the title, is fit for a terminal: plain, without HTML's entities."""
    rows = connection.execute(query, {"date": day, "user": user}).fetchall()
    return [(*row[:3], sanitize(html.unescape(row[3])), *row[4:]) for row in rows]


def _print(user: str, day: date, history: list[tuple[Any, ...]], slate: list[tuple[Any, ...]]) -> None:
    print(f"\n{user} on {day}: what they had")
    for when, rating, item, title in history[-12:]:
        print(f"  {when}  {rating:.0f}★  {item:<12} {title[:80]}")
    name, version = slate[0][4], slate[0][5]
    print(f"and what {name}{f' version {version}' if version else ''} shows them")
    for rank, score, item, title, *_ in slate:
        print(f"  {rank:>4}  {score:>8.4f}  {item:<12} {title[:80]}")
