"""A forgotten reviewer stays forgotten when the dump that names them is read again, whatever line names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsys_jobs.contracts.tables import QUARANTINE, REVIEWS
from recsys_jobs.operations.erasure.forget import forget
from tests.components import shop
from tests.spark.zones import Zone, review

pytestmark = pytest.mark.slow

LINES = [
    review("A1", "B1"),
    review("A1", "B2", overall=9.0),  # rejected, and names A1 in its id
    review("A2", "B1"),
    '{"reviewerID": "A1", "asin": ',  # rejected, and is no JSON
    review("A2", "B2", overall=9.0),
    review("A12", "B3"),
]


@pytest.fixture
def zone(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zone:
    shop.place(tmp_path, monkeypatch)
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path / "lake"))
    return Zone(spark, tmp_path, max_quarantined=0.9)


def test_the_same_dump_does_not_bring_them_back(zone: Zone) -> None:
    zone.land("shop/reviews/a.json", *LINES)
    zone.ingest()
    assert "quarantine 2, reviews 1" in forget("A1")
    assert zone.rows(REVIEWS, "user_id", "item_id") == [("A12", "B3"), ("A2", "B1")]
    zone.land("shop/reviews/b.json", *LINES, review("A1", "B9"), review("A2", "B9"))
    zone.land("shop/reviews/a.json", *LINES, review("A1", "B4"), review("A2", "B4"))
    zone.ingest()
    assert zone.rows(REVIEWS, "user_id", "item_id") == [("A12", "B3"), ("A2", "B1"), ("A2", "B4"), ("A2", "B9")]
    raws = zone.rows(QUARANTINE, "path", "position", "reason", "raw")
    assert len(raws) == 6, "every line is accounted for"
    assert all((raw is None) == (position in (2, 4)) for _, position, _, raw in raws)
    for read, good, quarantined, duplicate, state in zone.counts().values():
        assert state != "accepted" or read == good + quarantined + duplicate
    assert not [path for path in (zone.lake / "reviews").rglob("*.json") if '"A1"' in path.read_text()]
