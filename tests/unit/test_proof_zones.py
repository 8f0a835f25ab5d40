"""A zone cut at a date ends with it; a poisoned one is the same until then."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from proofs.orders import arguments_by_order
from proofs.zones import cut_zone, poison_zone
from recsys_jobs.operations.airflow.backfill import BackfillOptions

DAY = date(2014, 3, 1)  # 1393632000 is its first second
LAST, NEXT = 1393632000 + 86399, 1393632000 + 86400


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """Two formats, gzipped and plain; a folder of the date, one of the next day; a broken line."""
    zone = tmp_path / "landing" / "shop"
    lines = [
        {"reviewerID": "ann", "asin": "cup", "unixReviewTime": LAST},
        {"reviewerID": "bob", "asin": "hat", "unixReviewTime": NEXT},
        {"user_id": "cid", "parent_asin": "bag", "timestamp": LAST * 1000},
        {"user_id": "dan", "parent_asin": "bag", "timestamp": NEXT * 1000},
    ]
    land(zone / "reviews" / "all.jsonl.gz", *map(json.dumps, lines), "not json")
    land(zone / "items" / "all.json", '{"asin": "cup"}')
    land(zone / f"date={DAY}" / "items" / "a.json", '{"asin": "bag"}')
    land(zone / "date=2014-03-02" / "reviews" / "a.json", json.dumps(lines[0]))
    return zone.parent


def land(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def texts(zone: Path) -> dict[str, list[str]]:
    """The lines of every file, by its place."""
    files = [path for path in sorted(zone.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(zone)): (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
        .decode()
        .splitlines()
        for path in files
    }


def test_a_cut_zone_has_the_lines_up_to_the_end_of_the_date_and_what_landed_by_then(
    landing: Path, tmp_path: Path
) -> None:
    found = texts(cut_zone(landing, DAY, tmp_path / "cut"))
    assert sorted(found) == ["shop/date=2014-03-01/items/a.json", "shop/items/all.json", "shop/reviews/all.jsonl.gz"]
    whole = texts(landing)
    kept = whole["shop/reviews/all.jsonl.gz"]
    assert found["shop/reviews/all.jsonl.gz"] == [kept[0], kept[2], kept[4]]
    assert found["shop/items/all.json"] == whole["shop/items/all.json"]


def test_poison_lands_the_next_day_and_leaves_all_else_alone(landing: Path, tmp_path: Path) -> None:
    found, whole = texts(poison_zone(landing, DAY, tmp_path / "poisoned")), texts(landing)
    poison = {place: lines for place, lines in found.items() if "poison" in place}
    assert {place: lines for place, lines in found.items() if place not in poison} == whole
    assert sorted(poison) == [f"shop/date=2014-03-02/{kind}/poison.json.gz" for kind in ("items", "reviews")]
    items, reviews = ([json.loads(line) for line in lines] for _, lines in sorted(poison.items()))
    assert [(one["asin"], one["related"]["also_bought"]) for one in items] == [("bag", ["cup"]), ("cup", ["bag"])]
    assert {(one["reviewerID"], one["asin"]) for one in reviews} == {
        (who, what) for who in ("ann", "cid") for what in ("cup", "bag")
    }
    assert {one["unixReviewTime"] for one in reviews} == {NEXT + 43200}


def test_every_order_has_the_same_dates() -> None:
    call = BackfillOptions(date(2014, 3, 1), date(2014, 3, 5))
    found = arguments_by_order(call, seed=0)
    assert found["forward"] == [["2014-03-01", "2014-03-05"]]
    assert found["reverse"] == [["2014-03-01", "2014-03-05", "--reverse"]]
    days = [first for first, last in found["shuffled"] if first == last]
    assert sorted(days) == [str(day) for day in call.days] != days
