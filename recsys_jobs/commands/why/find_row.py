"""Finds the row that is asked about, and says what to do where it is not there."""

from __future__ import annotations

from typing import Any

import duckdb

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.lake.lineage import Publication

_MOST_TYPOS = 3  # edits up to which an id is taken for another one

_FIRST_EVENT = "SELECT min(interacted_at) FROM interactions WHERE as_of = $date AND user_id = $user"
_ELIGIBLE = "SELECT count(*) FROM contents WHERE as_of = $date AND item_id = $item"
_PUBLISHED = "SELECT DISTINCT model_fingerprint FROM recommendations WHERE run_date = $date"
_LIKE_USER = """
    SELECT user_id FROM interactions WHERE as_of = $date AND levenshtein(lower(user_id), lower($typed)) <= $most
    ORDER BY levenshtein(lower(user_id), lower($typed)), user_id LIMIT 1
"""
_LIKE_ITEM = """
    SELECT item_id FROM contents WHERE as_of = $date AND levenshtein(lower(item_id), lower($typed)) <= $most
    ORDER BY levenshtein(lower(item_id), lower($typed)), item_id LIMIT 1
"""


def find_row(
    connection: duckdb.DuckDBPyConnection, publication: Publication, user: str, item: str, slate: list[tuple[Any, ...]]
) -> tuple[int, float]:
    """Return the rank and score of `item` on the slate; UsageError where user or item is not there.

    JobError where the slates are of another model than the night's record.
    """
    night = {"date": publication.run_date}
    if not slate:
        raise UsageError(_why_no_slate(connection, night, user))
    fingerprints = connection.execute(_PUBLISHED, night).fetchall()
    if fingerprints != [(publication.model_fingerprint,)]:
        raise JobError(
            f"the slates of {publication.run_date} are not of model {publication.model_fingerprint}, which the night's "
            f"record names: publishing was interrupted, run make nightly DATE={publication.run_date} again"
        )
    for rank, score, shown, *_ in slate:
        if shown == item:
            return rank, score
    raise UsageError(_why_not_shown(connection, night, user, item, slate))


def _why_no_slate(connection: duckdb.DuckDBPyConnection, night: dict[str, Any], user: str) -> str:
    if _first_value(connection, _FIRST_EVENT, night | {"user": user}):
        return f"user {user!r} had everything that was eligible on {night['date']}: there was nothing left to show"
    return (
        f"user {user!r} has no slate on {night['date']}: no event before the end of it, and people we do not know get "
        f"popular_items{_suggestion(connection, _LIKE_USER, night, user)}"
    )


def _why_not_shown(
    connection: duckdb.DuckDBPyConnection, night: dict[str, Any], user: str, item: str, slate: list[tuple[Any, ...]]
) -> str:
    here = f"item {item!r} is not on the slate of {user!r} on {night['date']}"
    pair = night | {"user": user, "item": item}
    if first_event := _first_value(connection, f"{_FIRST_EVENT} AND item_id = $item", pair):
        return f"{here}: they had it on {first_event:%Y-%m-%d}, and what a user had is never shown"
    if not _first_value(connection, _ELIGIBLE, night | {"item": item}):
        return f"{here}: no such item was eligible at that cut{_suggestion(connection, _LIKE_ITEM, night, item)}"
    shown = ", ".join(row[2] for row in slate)
    return f"{here}: it ranked below the last place; shown were {shown}"


def _suggestion(connection: duckdb.DuckDBPyConnection, query: str, night: dict[str, Any], typed: str) -> str:
    similar = _first_value(connection, query, night | {"typed": typed, "most": _MOST_TYPOS})
    return f"; did you mean {similar!r}?" if similar else ""


def _first_value(connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any]) -> Any:
    row = connection.execute(query, values).fetchone()
    return row[0] if row else None
