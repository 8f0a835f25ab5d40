"""What each task of the night took and left behind: seconds as Airflow measured them, rows as the tables have them."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, NamedTuple

import duckdb

from recsys_jobs.contracts.errors import UsageError

# rows that a task left for this night; H's snapshot beside D's
_ROWS = {
    "ingest.dumps": """
        SELECT coalesce(sum(rows_good), 0) FROM ingest_files WHERE landed_on IS NULL OR landed_on <= $night
    """,
    "validate.images": "SELECT count(*) FROM item_images WHERE checked_on <= $night",
    "validate.snapshots": """
        SELECT count(*) FROM interactions
        WHERE as_of = $night OR as_of IN (SELECT exam_cut FROM cuts WHERE run_date = $night)
    """,
    "embed.text": "SELECT count(DISTINCT content_hash) FROM contents WHERE as_of = $night AND modality = 'text'",
    "embed.image": "SELECT count(DISTINCT content_hash) FROM contents WHERE as_of = $night AND modality = 'image'",
    "evaluate.gate": "SELECT count(*) FROM model_metrics WHERE run_date = $night AND protocol = 'global_time'",
    "recommend.publish": "SELECT count(*) FROM recommendations WHERE run_date = $night",
}


class Stage(NamedTuple):
    """One task; None where a number is not known, or there are no rows to count."""

    task: str
    seconds: float | None
    rows: int | None


def stages(connection: duckdb.DuckDBPyConnection, night: date, seconds: dict[str, float]) -> list[Stage]:
    """The tasks that Airflow timed, else those that leave rows, in the night's order where it is known."""
    counted = {task: connection.execute(query, {"night": night}).fetchone() for task, query in _ROWS.items()}
    rows = {task: int(found[0]) for task, found in counted.items() if found}
    return [Stage(task, seconds.get(task), rows.get(task)) for task in _in_order({**seconds, **rows})]


def _in_order(tasks: dict[str, Any]) -> list[str]:
    groups = ["ingest", "validate", "embed", "train", "evaluate", "recommend"]
    last = ["gate", "top_k", "publish"]  # of their groups

    def place(task: str) -> tuple[int, int, str]:
        group, _, name = task.partition(".")
        known = groups.index(group) if group in groups else len(groups)
        return known, last.index(name) + 1 if name in last else 0, task

    return sorted(tasks, key=place)


def parse_seconds(text: str) -> dict[str, float]:
    """Seconds by task from a JSON object; UsageError where it is none."""
    try:
        read = json.loads(text or "{}")
        return {str(task): float(seconds) for task, seconds in read.items()}
    except (ValueError, TypeError, AttributeError):
        raise UsageError(
            f"RECSYS_STAGE_SECONDS takes a JSON object of task names and seconds, not {text[:200]!r}"
        ) from None
