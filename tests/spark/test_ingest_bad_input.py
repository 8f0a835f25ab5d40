"""What real and hostile dumps hold: each ends in quarantine or in a refusal that says where and why."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import INGEST_FILES, ITEMS, QUARANTINE, REVIEWS
from spark import quarantine_reasons
from tests.spark.zones import Zone, review

pytestmark = pytest.mark.slow

DATED = "shop/date=2020-01-01/reviews/dated.json"
LITERAL = "shop/items/meta.json.gz"
REASONS = "shop/reviews/100% + [1].json"  # the name holds what URIs and wildcards make of names
HUGE = "shop/reviews/huge.json.gz"
LAST_SECOND = 1_577_836_800 + 2 * 86_400 - 1  # 2020-01-02 23:59:59

BAD_REVIEWS: list[tuple[str | bytes | dict[str, object], str | None]] = [
    (review("A0"), None),
    ('{"reviewerID": "A1", "asin": "B1"', "invalid_json"),
    ('{"reviewerID": "A2"} {"asin": "B2"}', "invalid_json"),
    ("[1, 2]", "invalid_json"),
    ("", None),
    ("null", "invalid_json"),
    (review("A3", overall="five"), "wrong_type"),
    (review("A4", unixReviewTime="yesterday"), "wrong_type"),
    (review("A5", asin=["B1"]), "wrong_type"),
    (review("A6", asin=12345), "wrong_type"),
    (review("A7", overall=True), "wrong_type"),
    (review("", "B1"), "missing_id"),
    (review("A8", asin=None), "missing_id"),
    (review("A9", unixReviewTime=None), "missing_time"),
    (review("A10", overall=None), "missing_rating"),
    (review("A11", overall=0), "bad_rating"),
    (review("A12", overall=5.5), "bad_rating"),
    (review("A13", unixReviewTime=-5), "early_time"),
    (review("A14", unixReviewTime=4_000_000_000), "future_time"),
    (review("A15", unixReviewTime=4_000_000_000_000), "future_time"),
    (review("A16", unixReviewTime=10**400), "future_time"),
    (review("../../x"), "bad_id"),
    (review("A17", "B1\n"), "bad_id"),
    (review("A" * 65), "bad_id"),
    (b'{"reviewerID": "A18", "asin": "B1", "reviewText": "\xff\xfe"}', "not_utf8"),
    ("   ", None),
    (review("A19", unixReviewTime="1262304000", overall="4"), None),  # numbers in quotes lose nothing
    (review("A20", unixReviewTime=1_262_304_000_123), None),
    (review("0123456789", "5555991584"), None),  # digits are fine as a string
    (review("#oc-R1", "B1"), None),  # as the Fine Foods reviews have
    (review("oc#R1", "B1"), "bad_id"),
    (review("A1", "#B1"), "bad_id"),
]


@pytest.fixture(scope="module")
def zone(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Zone:
    """One night with all of it."""
    zone = Zone(spark, tmp_path_factory.mktemp("bad"), max_quarantined=0.9)
    zone.land(REASONS, *(line for line, _ in BAD_REVIEWS), end=b"\r\n")
    zone.land(DATED, review("A1", unixReviewTime=LAST_SECOND), review("A2", unixReviewTime=LAST_SECOND + 1))
    zone.land("shop/reviews/empty.json")
    zone.land("shop/reviews/nothing.json.gz")
    zone.land(HUGE, review("H1"), review("H2", reviewText="x" * 50_000_000), review("H3"))
    zone.land(
        LITERAL,
        "{'asin': 'B1', 'title': 'fine', 'imUrl': 'http://x/1.jpg'}",
        "{'asin': 'B2', 'title': __import__('os').getcwd(), 'imUrl': ''}",
        "{'asin': '../../x', 'imUrl': ''}",
        b"{'asin': 'B3', 'title': '\xff', 'imUrl': ''}",
        "{'title': 'no id', 'imUrl': ''}",
    )
    zone.land("shop/reviews/noise.json", review("N1"), *["{"] * 19)
    zone.land("shop/reviews/strange.json", {"name": "Berlin"}, {"name": "Paris"})
    cut = zone.root / "landing" / "shop/reviews/cut.json.gz"
    cut.write_bytes(gzip.compress("".join(f'{{"reviewerID": "C{n}"}}\n' for n in range(1000)).encode())[:-20])
    with pytest.raises(JobError) as error:
        zone.ingest()
    (zone.root / "said").write_text(str(error.value))
    return zone


def _quarantined(zone: Zone, path: str) -> list[tuple[int, str]]:
    rows = zone.read(QUARANTINE).where(F.col("path") == path).select("position", "reason").collect()
    return sorted((row.position, row.reason) for row in rows)


def test_each_bad_line_has_its_place_and_reason(zone: Zone) -> None:
    expected = [(place, reason) for place, (_, reason) in enumerate(BAD_REVIEWS, start=1) if reason]
    assert _quarantined(zone, REASONS) == expected
    assert {reason for _, reason in expected} | {quarantine_reasons.TOO_LONG} == set(quarantine_reasons.REASONS)


def test_quarantine_keeps_the_line_and_names_the_value(zone: Zone) -> None:
    rows = zone.read(QUARANTINE).where((F.col("path") == REASONS) & F.col("position").isin(2, 7, 25))
    assert [tuple(row) for row in rows.sort("position").select("detail", "raw").collect()] == [
        ("not JSON: Expecting ',' delimiter at character 34", '{"reviewerID": "A1", "asin": "B1"\r'),
        (
            "rating=five",
            '{"reviewerID": "A3", "asin": "B1", "overall": "five", "reviewText": "good", "summary": "yes", '
            '"unixReviewTime": 1262304000}\r',
        ),
        (None, '{"reviewerID": "A18", "asin": "B1", "reviewText": "\ufffd\ufffd"}\r'),
    ]


def test_sound_lines_among_them_enter(zone: Zone) -> None:
    rows = zone.read(REVIEWS).where(F.col("path") == REASONS).sort("user_id")
    columns = ["user_id", "item_id", "rating", F.unix_millis("reviewed_at")]
    assert [tuple(row) for row in rows.select(*columns).collect()] == [
        ("#oc-R1", "B1", 5.0, 1_262_304_000_000),
        ("0123456789", "5555991584", 5.0, 1_262_304_000_000),
        ("A0", "B1", 5.0, 1_262_304_000_000),
        ("A19", "B1", 4.0, 1_262_304_000_000),
        ("A20", "B1", 5.0, 1_262_304_000_123),
    ]


def test_future_begins_two_days_after_the_landing_date(zone: Zone) -> None:
    assert _quarantined(zone, DATED) == [(2, "future_time")]


def test_line_of_50_mb_is_set_aside_and_its_neighbours_enter(zone: Zone) -> None:
    assert _quarantined(zone, HUGE) == [(2, "too_long")]
    kept = zone.read(QUARANTINE).where(F.col("path") == HUGE).select("detail", F.length("raw")).first()
    assert tuple(kept or ()) == ("50000116 bytes", 1_000_000)
    assert zone.counts()[HUGE] == (3, 2, 1, 0, "accepted")


def test_literals_are_read_and_never_run(zone: Zone) -> None:
    assert _quarantined(zone, LITERAL) == [
        (2, "invalid_json"),
        (3, "bad_id"),
        (4, "not_utf8"),
        (5, "missing_id"),
    ]
    assert zone.rows(ITEMS, "item_id", "title", "image_urls") == [("B1", "fine", ["http://x/1.jpg"])]


def test_empty_files_are_accepted_with_no_rows(zone: Zone) -> None:
    assert zone.counts()["shop/reviews/empty.json"] == (0, 0, 0, 0, "accepted")
    assert zone.counts()["shop/reviews/nothing.json.gz"] == (0, 0, 0, 0, "accepted")


def test_refused_files_leave_nothing_and_the_error_says_why(zone: Zone) -> None:
    refused = {path: counts for path, counts in zone.counts().items() if counts[-1] == "refused"}
    assert refused == {
        "shop/reviews/cut.json.gz": (refused["shop/reviews/cut.json.gz"][0], 0, 0, 0, "refused"),
        "shop/reviews/noise.json": (20, 0, 0, 0, "refused"),
        "shop/reviews/strange.json": (2, 0, 0, 0, "refused"),
    }
    for table in (REVIEWS, QUARANTINE):
        assert zone.read(table).where(F.col("path").isin(list(refused))).isEmpty()
    said = (zone.root / "said").read_text()
    assert "3 file(s) refused" in said
    assert "cut.json.gz: its gzip stream ends early: after line " in said
    assert (
        "noise.json: 19 of 20 lines are unusable, more than 90% (invalid_json 19; the first is line 2: not JSON" in said
    )
    assert "strange.json: no line among the first 2 looks like a review" in said
    assert "\n" not in said


def test_every_line_of_an_accepted_file_is_accounted_for(zone: Zone) -> None:
    files = zone.read(INGEST_FILES).where("state = 'accepted'")
    assert files.where("rows_read <> rows_good + rows_quarantined + rows_duplicate").isEmpty()
    assert files.agg(F.sum("rows_good")).first() == (9,)
    assert zone.read(REVIEWS).count() + zone.read(ITEMS).count() == 9


def test_refused_files_are_told_again_until_the_run_may_go_on_without(
    zone: Zone, caplog: pytest.LogCaptureFixture
) -> None:
    before = zone.rows(REVIEWS, "user_id", "path")
    with pytest.raises(JobError, match="3 file"):
        zone.ingest()
    again = zone.ingest(allow_refused=True)
    assert {Path(record.path).name for record in again} == {"cut.json.gz", "noise.json", "strange.json"}
    assert "goes on without it: shop/reviews/cut.json.gz" in caplog.text
    assert zone.rows(REVIEWS, "user_id", "path") == before
