"""Lines that a stranger may put into a dump, all in one night: none enters, each has a row and a reason."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsys_jobs.contracts.tables import ITEMS, QUARANTINE, REVIEWS
from spark import quarantine_reasons
from tests.spark.zones import Zone, review

pytestmark = pytest.mark.slow

FILE = "shop/reviews/a.json"
LINES: dict[str, tuple[Any, str]] = {
    "path as user": (review("../../etc/passwd"), quarantine_reasons.BAD_ID),
    "path as item": (review("A1", "../../etc/passwd"), quarantine_reasons.BAD_ID),
    "absolute path as item": (review("A1", "/etc/passwd"), quarantine_reasons.BAD_ID),
    "dots as item": (review("A1", ".."), quarantine_reasons.BAD_ID),
    "markup as user": (review("<script>alert(1)</script>"), quarantine_reasons.BAD_ID),
    "SQL as user": (review("' OR 1=1 --"), quarantine_reasons.BAD_ID),
    "shell as user": (review("$(id)"), quarantine_reasons.BAD_ID),
    "escape sequence as user": (review("A1\x1b[2J"), quarantine_reasons.BAD_ID),
    "line break as item": (review("A1", "B1\nB2"), quarantine_reasons.BAD_ID),
    "NUL as item": (review("A1", "B1\x00"), quarantine_reasons.BAD_ID),
    "look-alike letters as user": (review("\u0410\u0412\u0421"), quarantine_reasons.BAD_ID),
    "id of 100,000 letters": (review("A" * 100_000), quarantine_reasons.BAD_ID),
    "list as item": (review("A1", ["B1"]), quarantine_reasons.WRONG_TYPE),  # type: ignore[arg-type]
    "object as user": (review({"$ne": None}), quarantine_reasons.WRONG_TYPE),  # type: ignore[arg-type]
    "rating of 300 digits": (review("A1", overall=10**300), quarantine_reasons.BAD_RATING),
    # no JSON reader takes such a number in: the line falls before its fields are looked at
    "rating of a million digits": (
        '{"reviewerID": "A1", "asin": "B1", "unixReviewTime": 1262304000, "overall": ' + "9" * 1_000_000 + "}",
        quarantine_reasons.INVALID_JSON,
    ),
    "line of 11 MB": (review("A1", reviewText="x" * 11_000_000), quarantine_reasons.TOO_LONG),
    "brackets": ("[" * 100_000, quarantine_reasons.INVALID_JSON),
    "bytes that are no text": (
        b'{"reviewerID": "A1", "asin": "B1", "reviewText": "\xff\xfe"}',
        quarantine_reasons.NOT_UTF8,
    ),
}


@pytest.fixture(scope="module")
def zone(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Zone:
    zone = Zone(spark, tmp_path_factory.mktemp("hostile"), max_quarantined=1.0)
    zone.land(FILE, *(line for line, _ in LINES.values()), review("good", "B1"))
    zone.land("shop/items/a.json", "{'asin': 'B1', 'title': 'fine'}", *["{'asin': '../x', 'title': ''}"] * 2)
    zone.ingest()
    return zone


@pytest.mark.parametrize("what", LINES, ids=[f"dump: {what}" for what in LINES])
def test_the_line_is_set_aside_with_its_reason(zone: Zone, what: str) -> None:
    rows = zone.rows(QUARANTINE, "path", "position", "reason")
    found = {position: reason for path, position, reason in rows if path == FILE}
    assert found[list(LINES).index(what) + 1] == LINES[what][1]


def test_only_the_sound_lines_entered(zone: Zone) -> None:
    assert zone.rows(REVIEWS, "user_id", "item_id") == [("good", "B1")]
    assert zone.rows(ITEMS, "item_id", "title") == [("B1", "fine")]
