"""Finds the row that is asked about, and says what to do where it is not there."""

from __future__ import annotations

from typing import Any

import duckdb

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.lake.lineage import Publication

_MISTYPED = 3  # edits up to which an id is taken for another one

_HAD = "SELECT min(interacted_at) FROM interactions WHERE as_of = $date AND user_id = $user"
_ELIGIBLE = "SELECT count(*) FROM contents WHERE as_of = $date AND item_id = $item"
_PUBLISHED = "SELECT DISTINCT model_fingerprint FROM recommendations WHERE run_date = $date"
_LIKE_USER = """
    SELECT user_id FROM interactions WHERE as_of = $date AND levenshtein(lower(user_id), lower($asked)) <= $most
    ORDER BY levenshtein(lower(user_id), lower($asked)), user_id LIMIT 1
"""
_LIKE_ITEM = """
    SELECT item_id FROM contents WHERE as_of = $date AND levenshtein(lower(item_id), lower($asked)) <= $most
    ORDER BY levenshtein(lower(item_id), lower($asked)), item_id LIMIT 1
"""


def find_row(
    connection: duckdb.DuckDBPyConnection, made_from: Publication, user: str, item: str, slate: list[tuple[Any, ...]]
) -> tuple[int, float]:
    """The rank and score of `item` on the slate; UsageError where user or item is not there.

    JobError where the slates are of another model than the night's record.
    """
    night = {"date": made_from.run_date}
    if not slate:
        raise UsageError(_no_slate(connection, night, user))
    if [(made_from.model_fingerprint,)] != connection.execute(_PUBLISHED, night).fetchall():
        raise JobError(
            f"the slates of {made_from.run_date} are not of model {made_from.model_fingerprint}, which the night's "
            f"record names: publishing was interrupted, run make nightly DATE={made_from.run_date} again"
        )
    for rank, score, shown, *_ in slate:
        if shown == item:
            return rank, score
    raise UsageError(_not_shown(connection, night, user, item, slate))


def _no_slate(connection: duckdb.DuckDBPyConnection, night: dict[str, Any], user: str) -> str:
    if _first(connection, _HAD, night | {"user": user}):
        return f"user {user!r} had everything that was eligible on {night['date']}: there was nothing left to show"
    return (
        f"user {user!r} has no slate on {night['date']}: no event before the end of it, and people we do not know get "
        f"popular_items{_meant(connection, _LIKE_USER, night, user)}"
    )


def _not_shown(
    connection: duckdb.DuckDBPyConnection, night: dict[str, Any], user: str, item: str, slate: list[tuple[Any, ...]]
) -> str:
    here = f"item {item!r} is not on the slate of {user!r} on {night['date']}"
    if had := _first(connection, f"{_HAD} AND item_id = $item", night | {"user": user, "item": item}):
        return f"{here}: they had it on {had:%Y-%m-%d}, and what a user had is never shown"
    if not _first(connection, _ELIGIBLE, night | {"item": item}):
        return f"{here}: no such item was eligible at that cut{_meant(connection, _LIKE_ITEM, night, item)}"
    return f"{here}: it ranked below the last place; shown were {', '.join(shown[2] for shown in slate)}"


def _meant(connection: duckdb.DuckDBPyConnection, query: str, night: dict[str, Any], asked: str) -> str:
    alike = _first(connection, query, night | {"asked": asked, "most": _MISTYPED})
    return f"; did you mean {alike!r}?" if alike else ""


def _first(connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any]) -> Any:
    found = connection.execute(query, values).fetchone()
    return found[0] if found else None
