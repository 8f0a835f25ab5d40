"""The numbers of a night and of those before it, each one query over the published tables.

`nights` are run dates, oldest first, the reported one last; every query sees these dates alone, so that the
report of an old night does not know of later ones. BETWEEN beside the list is what Delta can prune files by.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, NamedTuple

import duckdb

NIGHTS = 5  # shown in one report
Rows = list[tuple[Any, ...]]


class QueryResult(NamedTuple):
    """Columns and rows of one query's result."""

    columns: tuple[str, ...]
    rows: Rows

    def column(self, name: str) -> list[Any]:
        """The values of one column."""
        index = self.columns.index(name)
        return [row[index] for row in self.rows]


_NIGHTS = "SELECT DISTINCT run_date FROM recommendations WHERE run_date <= $night ORDER BY 1 DESC LIMIT $most"

_VOLUMES = """
    WITH events AS (
        SELECT as_of, count(*) AS pairs, count(DISTINCT user_id) AS people, count(DISTINCT item_id) AS items_had,
               count(*) FILTER (in_core) AS core_pairs
        FROM interactions WHERE as_of BETWEEN $first AND $night AND list_contains($nights, as_of) GROUP BY as_of
    ), catalogue AS (
        SELECT as_of, count(DISTINCT item_id) AS items FROM contents
        WHERE as_of BETWEEN $first AND $night AND list_contains($nights, as_of) GROUP BY as_of
    ), edges AS (
        SELECT as_of, count(*) AS edges FROM item_edges
        WHERE as_of BETWEEN $first AND $night AND list_contains($nights, as_of) GROUP BY as_of
    ), slates AS (
        SELECT run_date AS as_of, count(*) AS places FROM recommendations
        WHERE run_date BETWEEN $first AND $night AND list_contains($nights, run_date) GROUP BY run_date
    )
    SELECT as_of AS night, people, items AS "eligible items", pairs, core_pairs AS "core pairs",
           coalesce(edges, 0) AS edges, places AS "places published"
    FROM events JOIN catalogue USING (as_of) JOIN slates USING (as_of) LEFT JOIN edges USING (as_of) ORDER BY as_of
"""

_FILES = """
    SELECT state, count(*) AS files, count(*) FILTER (landed_on > $before) AS "new since the last night",
           sum(rows_read) AS "rows read", sum(rows_good) AS good, sum(rows_quarantined) AS quarantined,
           sum(rows_duplicate) AS duplicate
    FROM ingest_files WHERE landed_on IS NULL OR landed_on <= $night GROUP BY state ORDER BY state
"""

_REFUSED = """
    SELECT path AS "refused file", message FROM ingest_files
    WHERE state = 'refused' AND (landed_on IS NULL OR landed_on <= $night) ORDER BY path LIMIT 20
"""

_QUARANTINE = """
    SELECT reason, count(*) AS rows, count(*) FILTER (landed_on > $before) AS "new since the last night"
    FROM quarantine JOIN ingest_files USING (path, fingerprint)
    WHERE state <> 'superseded' AND (landed_on IS NULL OR landed_on <= $night)
    GROUP BY reason ORDER BY rows DESC, reason
"""

_COVERAGE = """
    WITH linked AS (
        SELECT as_of, src AS item_id FROM item_edges
        WHERE as_of BETWEEN $first AND $night AND list_contains($nights, as_of)
        UNION SELECT as_of, dst FROM item_edges WHERE as_of BETWEEN $first AND $night AND list_contains($nights, as_of)
    ), items AS (
        SELECT as_of, item_id, bool_or(modality = 'text' AND content_hash IS NOT NULL) AS text,
               bool_or(modality = 'text' AND content_hash IS NOT NULL AND reason IS NULL) AS described,
               bool_or(modality = 'image' AND content_hash IS NOT NULL) AS image
        FROM contents WHERE as_of BETWEEN $first AND $night AND list_contains($nights, as_of) GROUP BY as_of, item_id
    ), people AS (
        SELECT as_of, count(DISTINCT user_id) FILTER (text_hash IS NOT NULL) / count(DISTINCT user_id) AS wrote
        FROM interactions WHERE as_of BETWEEN $first AND $night AND list_contains($nights, as_of) GROUP BY as_of
    )
    SELECT as_of AS night, avg(text::INT) AS text, avg(described::INT) AS description, avg(image::INT) AS image,
           avg((linked.item_id IS NOT NULL)::INT) AS graph, any_value(wrote) AS "people with a review"
    FROM items LEFT JOIN linked USING (as_of, item_id) JOIN people USING (as_of) GROUP BY as_of ORDER BY as_of
"""

_ABSENT = """
    SELECT modality, reason, count(*) AS items FROM contents WHERE as_of = $night AND reason IS NOT NULL
    GROUP BY modality, reason ORDER BY modality, items DESC, reason
"""

_METRICS = """
    SELECT run_date AS night, recipe, metric, value, low, high, users FROM model_metrics
    WHERE run_date BETWEEN $first AND $night AND list_contains($nights, run_date)
    AND protocol = 'global_time' AND slice = 'all' AND metric IN ('ndcg', 'recall') AND k = $k
    ORDER BY metric, run_date, recipe
"""

_COLD = """
    WITH core AS (SELECT DISTINCT as_of, user_id FROM interactions
        WHERE as_of BETWEEN $first AND $night AND list_contains($nights, as_of) AND in_core),
    warm AS (SELECT DISTINCT as_of, item_id FROM interactions
        WHERE as_of BETWEEN $first AND $night AND list_contains($nights, as_of) AND in_core),
    shown AS (
        SELECT r.run_date, r.user_id, r.item_id, core.user_id IS NULL AS cold_user, warm.item_id IS NULL AS cold_item
        FROM recommendations r
        LEFT JOIN core ON core.as_of = r.run_date AND core.user_id = r.user_id
        LEFT JOIN warm ON warm.as_of = r.run_date AND warm.item_id = r.item_id
        WHERE r.run_date BETWEEN $first AND $night AND list_contains($nights, r.run_date)
    )
    SELECT run_date AS night, count(DISTINCT user_id) AS "people served",
           count(DISTINCT user_id) FILTER (cold_user) / count(DISTINCT user_id) AS "cold people",
           avg(cold_item::INT) AS "places of cold items",
           count(DISTINCT item_id) AS "items shown",
           count(DISTINCT item_id) FILTER (cold_item) / count(DISTINCT item_id) AS "cold items"
    FROM shown GROUP BY run_date ORDER BY run_date
"""

_MOST_SHOWN = """
    WITH counted AS (
        SELECT item_id, count(*) FILTER (run_date = $night) AS slates,
               count(*) FILTER (run_date = $before) AS "the night before"
        FROM recommendations WHERE run_date IN ($night, $before) GROUP BY item_id
    ), named AS (
        SELECT item_id, title FROM items WHERE landed_on IS NULL OR landed_on <= $night
        QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY landed_on DESC NULLS LAST, item_hash) = 1
    )
    SELECT item_id AS item, coalesce(title, '(no title)') AS title, slates, "the night before"
    FROM counted LEFT JOIN named USING (item_id) ORDER BY slates DESC, item_id LIMIT 10
"""

QUERIES = {
    "volumes": _VOLUMES,
    "files": _FILES,
    "refused": _REFUSED,
    "quarantine": _QUARANTINE,
    "coverage": _COVERAGE,
    "absent": _ABSENT,
    "metrics": _METRICS,
    "cold": _COLD,
    "most_shown": _MOST_SHOWN,
}


def last_nights(connection: duckdb.DuckDBPyConnection, night: date) -> list[date]:
    """The published nights up to `night`, oldest first, at most NIGHTS."""
    newest_first = connection.execute(_NIGHTS, {"night": night, "most": NIGHTS}).fetchall()
    return [run_date for (run_date,) in reversed(newest_first)]


def run_query(connection: duckdb.DuckDBPyConnection, name: str, nights: list[date], k: int) -> QueryResult:
    """The result of one of QUERIES."""
    query = QUERIES[name]
    before = nights[-2] if len(nights) > 1 else None
    values = {"night": nights[-1], "before": before, "first": nights[0], "nights": nights, "k": k}
    parameters = {key: values[key] for key in re.findall(r"\$(\w+)", query)}
    result = connection.execute(query, parameters)
    columns = tuple(column[0] for column in result.description or ())
    return QueryResult(columns, result.fetchall())
