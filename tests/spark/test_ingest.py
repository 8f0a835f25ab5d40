"""Ingest over files and nights: one schema, one row a key, whatever the order and whatever went wrong."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import INGEST_FILES, ITEMS, QUARANTINE, REVIEWS, Table
from spark.file_registry import Registry
from spark.integrity import fingerprint
from spark.rehash import rehash
from tests.spark.zones import Zone, review

pytestmark = pytest.mark.slow

A, B, C = (f"shop/reviews/{name}.json" for name in "abc")


@pytest.fixture
def zone(spark: SparkSession, tmp_path: Path) -> Zone:
    return Zone(spark, tmp_path)


def _stop(table: Table, rows: ds.Dataset, run_date: date) -> None:
    raise JobError(f"{table.name} fails its gate")


def _die(registry: Registry, lake: Path) -> None:
    raise RuntimeError("the night dies here")


def test_three_dumps_become_one_schema(zone: Zone) -> None:
    zone.land("old/reviews/r.json.gz", review("A1", "B1", summary="Fine", reviewText="Good & loud"))
    zone.land("mid/reviews/r.json", review("A1", "B1", verified=True, style={}, reviewText=None, summary=" "))
    new_review = {"user_id": "A1", "parent_asin": "B1", "asin": "B0", "rating": 4.0, "title": "Fine", "text": "é"}
    zone.land(
        "new/reviews/r.jsonl", new_review | {"timestamp": 1_627_679_830_425, "verified_purchase": False, "images": []}
    )
    zone.land(
        "old/items/m.json",
        "{'asin': 'B1', 'title': \"Don't\", 'price': 9.49, 'imUrl': 'http://x/1.jpg', 'brand': ' Acme ', "
        "'categories': [['Music', 'Pop'], ['Music', 'Rock']], 'description': 'Loud', "
        "'related': {'also_bought': ['B2', 'B3', 'B2'], 'bought_together': ['B4'], 'buy_after_viewing': ['B5']}}",
    )
    mid_item = {
        "asin": "B1",
        "title": "Card",
        "price": "$1,250.00",
        "description": ["One", "", "Two"],
        "also_buy": ["B2"],
    }
    zone.land(
        "mid/items/m.json",
        mid_item | {"image": ["https://x/s.jpg"], "category": ["Gifts", "Cards"], "also_view": ["B3"], "brand": ""},
        {
            "asin": "B2",
            "price": ".a-box-inner{}",
            "description": "[New] one",
            "image": "https://x/t.jpg",
            "also_buy": "",
        },
    )
    new_item = {"parent_asin": "B1", "title": "Clip", "store": "Acme", "price": None, "description": []}
    zone.land(
        "new/date=2023-05-01/items/m.jsonl.gz",
        new_item
        | {
            "images": [
                {"thumb": "https://x/t.jpg", "large": "https://x/l.jpg"},
                {"large": None, "hi_res": "https://x/h.jpg"},
            ]
        }
        | {"categories": ["Hair"], "bought_together": None},
        {"parent_asin": "B2", "store": None, "images": ["https://x/1.jpg", "ftp://x/2.jpg"], "bought_together": ["B1"]},
    )
    zone.ingest()

    assert zone.rows(REVIEWS, "dataset", "rating", "title", "text", "verified", F.unix_millis("reviewed_at")) == [
        ("mid", 5.0, " ", None, True, 1_262_304_000_000),
        ("new", 4.0, "Fine", "é", False, 1_627_679_830_425),
        ("old", 5.0, "Fine", "Good & loud", None, 1_262_304_000_000),
    ]
    assert zone.rows(REVIEWS, "dataset", "text_hash") == [
        ("mid", None),
        ("new", "78dd58a5ccca12084e20d6cdb6a2c43a6bd87a23db1abf172f150d8ec6e77298"),
        ("old", "cfd3d73e0181c023922e288b3a5d2f083c48d8e8ed7a8c6f0de7b03b7cfaa39e"),
    ]
    assert zone.rows(ITEMS, "dataset", "item_id", "title", "description", "brand", "price") == [
        ("mid", "B1", "Card", "One\nTwo", None, 1250.0),
        ("mid", "B2", None, "[New] one", None, None),
        ("new", "B1", "Clip", None, "Acme", None),
        ("new", "B2", None, None, None, None),
        ("old", "B1", "Don't", "Loud", "Acme", 9.49),
    ]
    assert zone.rows(ITEMS, "dataset", "item_id", "categories", "image_urls", "landed_on") == [
        ("mid", "B1", ["Gifts", "Cards"], ["https://x/s.jpg"], None),
        ("mid", "B2", [], ["https://x/t.jpg"], None),
        ("new", "B1", ["Hair"], ["https://x/l.jpg", "https://x/h.jpg"], date(2023, 5, 1)),
        ("new", "B2", [], ["https://x/1.jpg"], date(2023, 5, 1)),
        ("old", "B1", ["Music", "Pop", "Rock"], ["http://x/1.jpg"], None),
    ]
    assert zone.rows(ITEMS, "dataset", "item_id", "also_bought", "also_viewed", "bought_together") == [
        ("mid", "B1", ["B2"], ["B3"], []),
        ("mid", "B2", [], [], []),
        ("new", "B1", [], [], []),
        ("new", "B2", [], [], ["B1"]),
        ("old", "B1", ["B2", "B3"], [], ["B4"]),
    ]
    assert zone.rows(INGEST_FILES, "path", "format", "rows_good") == [
        ("mid/items/m.json", "amazon2018", 2),
        ("mid/reviews/r.json", "amazon2018", 1),
        ("new/date=2023-05-01/items/m.jsonl.gz", "amazon2023", 2),
        ("new/reviews/r.jsonl", "amazon2023", 1),
        ("old/items/m.json", "amazon2014", 1),
        ("old/reviews/r.json.gz", "amazon2014", 1),
    ]


def _land_three(zone: Zone, *paths: str) -> None:
    """One key in all three files with three texts, one key twice in B, one row equal in A and C, and one row each."""
    contents = {
        A: [review("K", reviewText="one"), review("A"), review("E")],
        B: [review("K", reviewText="two"), review("D", reviewText="x"), review("D", reviewText="y"), review("B")],
        C: [review("K", reviewText="three"), review("C"), review("E")],
    }
    for path in paths:
        zone.land(path, *contents[path])


@pytest.fixture(scope="module")
def one_night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Zone:
    zone = Zone(spark, tmp_path_factory.mktemp("one"))
    _land_three(zone, A, B, C)
    zone.ingest()
    return zone


def test_equal_keys_leave_one_row_and_the_rest_are_counted(one_night: Zone) -> None:
    users = [user for (user,) in one_night.rows(REVIEWS, "user_id")]
    assert users == ["A", "B", "C", "D", "E", "K"]
    counts = one_night.counts()
    assert [counts[path][0] for path in (A, B, C)] == [3, 4, 3]
    assert sum(counts[path][1] for path in (A, B, C)) == 6
    assert sum(counts[path][3] for path in (A, B, C)) == 4
    assert one_night.read(REVIEWS).where("user_id = 'E'").select("path").first() == (A,)  # equal rows: the first path


@pytest.mark.parametrize("order", [(A, B, C), (C, B, A)])
def test_order_of_nights_changes_nothing(zone: Zone, one_night: Zone, order: tuple[str, ...]) -> None:
    for path in order:
        _land_three(zone, path)
        zone.ingest()
    assert zone.rows(REVIEWS, *REVIEWS.names) == one_night.rows(REVIEWS, *REVIEWS.names)
    assert zone.counts() == one_night.counts()


def test_replaced_file_takes_its_rows_along_and_gives_back_what_it_beat(zone: Zone) -> None:
    _land_three(zone, A, B, C)
    zone.land(
        "shop/reviews/d.json", review("K", reviewText="four"), review("Q"), *[review(f"U{n}") for n in range(30)], "{"
    )
    zone.ingest()
    for path in (A, B, C, "shop/reviews/d.json"):
        zone.land(path, review("Z", path[-6], overall=2.0))
        zone.ingest()
    assert zone.rows(REVIEWS, "user_id", "item_id") == [("Z", "a"), ("Z", "b"), ("Z", "c"), ("Z", "d")]
    assert zone.read(QUARANTINE).isEmpty()
    states = zone.read(INGEST_FILES).groupBy("state").count().collect()
    assert {row["state"]: row["count"] for row in states} == {"accepted": 4, "superseded": 4}


def test_row_that_gave_way_returns_when_the_winner_leaves(zone: Zone) -> None:
    _land_three(zone, A, B, C)
    zone.ingest()
    ((winner,),) = zone.read(REVIEWS).where("user_id = 'K'").select("path").collect()
    zone.land(winner, review("Z"))
    zone.ingest()
    ((second,),) = zone.read(REVIEWS).where("user_id = 'K'").select("path").collect()
    assert second != winner
    assert all(read == good + out + double for read, good, out, double, _ in zone.counts().values())


def test_night_without_new_files_reads_nothing(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    zone.land(A, review())
    zone.ingest()
    monkeypatch.setattr("spark.staging.stage", None)  # would fail if anything were to be parsed
    assert zone.ingest() == []


def test_a_file_is_hashed_again_where_its_times_say_so_alone(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    zone.land(A, review())
    zone.ingest()
    hashed: list[Path] = []
    monkeypatch.setattr("spark.arrivals.fingerprint", lambda path: hashed.append(path) or fingerprint(path))
    zone.ingest()
    assert hashed == []
    place = zone.root / "landing" / A
    os.utime(place, (1, 1))
    assert zone.ingest() == []
    assert hashed == [place]
    zone.ingest()
    assert hashed == [place], "the new time is remembered"


def test_a_file_that_changed_and_does_not_show_it_is_found_by_rehashing(zone: Zone) -> None:
    zone.land(A, review("A1"))
    zone.ingest()
    place = zone.root / "landing" / A
    before = place.stat()
    place.write_bytes(place.read_bytes().replace(b"A1", b"A2"))
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert zone.ingest() == []
    assert rehash(zone.root / "landing", zone.lake) == [A]
    zone.ingest()
    assert zone.rows(REVIEWS, "user_id") == [("A2",)]
    assert rehash(zone.root / "landing", zone.lake) == []


def test_rows_that_fail_their_gate_do_not_enter(zone: Zone) -> None:
    zone.land(A, review("A1"))
    with pytest.raises(JobError, match="fails its gate"):
        zone.ingest(gate=_stop)
    assert zone.read(REVIEWS).isEmpty() and zone.read(INGEST_FILES).isEmpty()


def test_night_that_died_before_its_last_commit_is_repeated_without_doubles(
    zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.land(A, review("A1"), review("A1", reviewText="other"), *[review(f"U{n}") for n in range(30)], "{")
    zone.land("shop/items/m.json", {"asin": "B1", "main_cat": "x"})
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="dies here"):
        patch.setattr("spark.file_registry.save", _die)
        zone.ingest()
    assert zone.read(INGEST_FILES).isEmpty()
    assert zone.read(REVIEWS).count() == 31
    zone.ingest()
    assert zone.read(REVIEWS).count() == 31
    assert zone.counts() == {A: (33, 31, 1, 1, "accepted"), "shop/items/m.json": (1, 1, 0, 0, "accepted")}
    assert zone.read(QUARANTINE).count() == 1


def test_rows_that_no_file_accounts_for_are_an_error(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    zone.land(A, review("A1"))
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr("spark.file_registry.save", _die)
        zone.ingest()
    (zone.root / "landing" / A).unlink()
    zone.land(B, review("B1"))
    with pytest.raises(JobError, match="reviews holds 1 rows of shop/reviews/a.json, which no accepted file"):
        zone.ingest()
    zone.land(A, review("A1"), review("A2"))
    zone.ingest()
    assert zone.rows(REVIEWS, "user_id", "path") == [("A1", A), ("A2", A), ("B1", B)]


def test_version_of_an_item_stands_once_for_each_landing_date(zone: Zone) -> None:
    old, new = {"asin": "B1", "title": "Old", "main_cat": ""}, {"asin": "B1", "title": "New", "main_cat": ""}
    zone.land("shop/items/m.json", old, new, old)
    zone.land("shop/date=2020-01-01/items/m.json", old, old)
    zone.land("shop/date=2020-02-01/items/m.json", new)
    zone.ingest()
    assert zone.rows(ITEMS, "landed_on", "title") == [
        (None, "New"),
        (None, "Old"),
        (date(2020, 1, 1), "Old"),
        (date(2020, 2, 1), "New"),
    ]
    assert zone.counts()["shop/items/m.json"] == (3, 2, 0, 1, "accepted")


def test_five_percent_may_be_quarantined_and_not_more(zone: Zone) -> None:
    zone.land(A, *[review(f"U{n}") for n in range(19)], "{")
    zone.land(B, *[review(f"V{n}") for n in range(18)], "{")
    with pytest.raises(JobError, match="1 file.*b.json: 1 of 19 lines"):
        zone.ingest()
    assert zone.counts() == {A: (20, 19, 1, 0, "accepted"), B: (19, 0, 0, 0, "refused")}
    zone.land(B, *[review(f"V{n}") for n in range(18)])
    zone.land(A, "{")
    with pytest.raises(JobError, match="1 file.*a.json"):
        zone.ingest()
    assert zone.read(REVIEWS).count() == 19 + 18  # what was accepted before stays until a sound file replaces it
    zone.land(A, *[review(f"U{n}") for n in range(19)], "{")
    assert zone.ingest() == []
    assert zone.rows(INGEST_FILES, "path", "rows_read", "state") == [
        (A, 1, "superseded"),
        (A, 20, "accepted"),
        (B, 18, "accepted"),
        (B, 19, "superseded"),
    ]


def test_lines_keep_their_numbers_where_a_file_is_read_in_blocks(zone: Zone) -> None:
    bad = {7: "{", 1_500: "", 2_001: "{", 3_999: "{"}
    zone.land(A, *[bad.get(n) if n in bad else review(f"U{n}") for n in range(1, 4_001)])  # type: ignore[arg-type]
    zone.spark.conf.set("spark.sql.files.maxPartitionBytes", "60000")
    try:
        zone.ingest()
    finally:
        zone.spark.conf.unset("spark.sql.files.maxPartitionBytes")
    assert zone.rows(QUARANTINE, "position", "reason") == [(n, "invalid_json") for n in (2001, 3999, 7)]
    assert zone.counts()[A] == (3_999, 3_996, 3, 0, "accepted")


@pytest.mark.shared_data
def test_real_dumps_are_accounted_for_and_pass_the_gates(
    spark: SparkSession, tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from expectations.gate import validate_rows

    monkeypatch.setenv("RECSYS_VAR", str(tmp_path / "var"))
    zone = Zone(spark, tmp_path)
    zone.ingest(landing=shared_data / "landing", gate=validate_rows)
    counts = {path.split("/")[0] + " " + path.split("/")[1]: numbers for path, numbers in zone.counts().items()}
    assert counts == {
        "amazon2014_digital_music items": (7_419, 7_419, 0, 0, "accepted"),
        "amazon2014_digital_music reviews": (6_908, 6_908, 0, 0, "accepted"),
        "amazon2018_all_beauty reviews": (5_269, 4_161, 0, 1_108, "accepted"),
        "amazon2018_appliances items": (100, 100, 0, 0, "accepted"),
        "amazon2018_appliances reviews": (2_277, 189, 0, 2_088, "accepted"),
        "amazon2018_gift_cards items": (1_547, 1_547, 0, 0, "accepted"),
        "amazon2018_gift_cards reviews": (2_972, 2_969, 0, 3, "accepted"),
        "amazon2023_sample items": (2_610, 2_610, 0, 0, "accepted"),
        "amazon2023_sample reviews": (2_764, 2_764, 0, 0, "accepted"),
    }


@pytest.mark.shared_data
def test_real_download_that_was_cut_off_is_refused(spark: SparkSession, tmp_path: Path, shared_data: Path) -> None:
    zone = Zone(spark, tmp_path)
    cut = tmp_path / "landing" / "music" / "reviews" / "truncated.json.gz"
    cut.parent.mkdir(parents=True)
    cut.symlink_to(shared_data / "hostile" / "truncated_reviews_Digital_Music_5.json.gz")
    with pytest.raises(JobError, match=r"music/reviews/truncated.json.gz: .*after line 6,908"):
        zone.ingest()
    assert zone.read(REVIEWS).isEmpty()
    assert zone.counts()["music/reviews/truncated.json.gz"] == (6_908, 0, 0, 0, "refused")
