"""The step on a small lake: what it writes, what the future may not change, what stops it."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import (
    CONTENTS,
    CUTS,
    INTERACTIONS,
    ITEM_EDGES,
    ITEM_IMAGES,
    ITEMS,
    RECOMMENDATIONS,
    REVIEWS,
    Table,
)
from recsys_jobs.lake import delta as torch_side

pytestmark = pytest.mark.slow

H, D, NEXT = date(2014, 3, 3), date(2014, 3, 5), date(2014, 3, 6)
SETTINGS = Settings(user_core=2, item_core=2, min_users=2, max_holdout_share=0.5)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def review(user: str, item: str, day: int, rating: float = 5.0) -> dict[str, Any]:
    when = datetime(2014, 3, day, 12, tzinfo=UTC)
    name = f"{user} {item} {day}"
    return {
        "dataset": "shop",
        "user_id": user,
        "item_id": item,
        "rating": rating,
        "reviewed_at": when,
        "review_hash": sha(name),
        "text_hash": sha(f"text of {name}"),
        "path": "shop/reviews/a.json",
    }


def item(name: str, landed_on: date | None = None, title: str | None = None) -> dict[str, Any]:
    title = title or f"A {name}"
    return {
        "dataset": "shop",
        "item_id": name,
        "landed_on": landed_on,
        "item_hash": sha(f"{name} {title}"),
        "title": title,
        "description": "Blue",
        "image_urls": [f"http://shop/{name}.jpg"],
        "also_bought": ["hat"],
        "text_hash": sha(title),
        "path": "shop/items/a.json",
    }


#  until H: ann, bob and cid have cup and bag, ann a hat; in the holdout: two of them a hat, dan a first cup
PAST = [review(user, name, 1) for user in ("ann", "bob", "cid") for name in ("cup", "bag")] + [review("ann", "hat", 3)]
HOLDOUT = [review("bob", "hat", 4), review("cid", "hat", 5), review("dan", "cup", 5), review("ann", "cup", 5)]
FUTURE = [review("ann", "pen", 6), review("dan", "bag", 6), review("eve", "cup", 6), review("bob", "cup", 7)]
CATALOGUE = [item("cup"), item("bag", landed_on=date(2014, 3, 2)), item("pen", landed_on=D)]
LATER = [item("cup", NEXT, "An edited cup"), item("bag", NEXT, "An edited bag"), item("van", NEXT)]


def write(spark, lake: Path, table: Table, rows: list[dict[str, Any]]) -> None:
    """Append `rows` as ingest would."""
    frame = spark.createDataFrame([tuple(row.get(name) for name in table.names) for row in rows], table.ddl)
    frame.coalesce(1).write.format("delta").mode("append").save(str(lake / table.name))


def see(lake: Path, source: str, state: str, content_hash: str | None = None) -> None:
    """The images step looked at the cup's picture."""
    row = {"item_id": "cup", "source": source, "state": state, "content_hash": content_hash}
    torch_side.upsert(ITEM_IMAGES, _arrow(ITEM_IMAGES, row), lake)


def publish(lake: Path, day: date) -> None:
    row = {
        "run_date": day,
        "user_id": "ann",
        "rank": 1,
        "item_id": "pen",
        "score": 1.0,
        "model_name": "m",
        "model_fingerprint": "f",
    }
    torch_side.replace_date(RECOMMENDATIONS, day, _arrow(RECOMMENDATIONS, row), lake)


def _arrow(table: Table, row: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([dict.fromkeys(table.names) | row], torch_side.arrow_schema(table))


def written(lake: Path, *days: date) -> dict[str, list[dict[str, Any]]]:
    """Everything that stands at `days`, as the torch side reads it."""
    tables = {INTERACTIONS: days, ITEM_EDGES: days, CONTENTS: days, CUTS: days[-1:]}
    return {
        f"{table.name} {day}": torch_side.read_date(
            table, day, [column.name for column in table.columns if not column.provenance], lake
        ).to_pylist()
        for table, wanted in tables.items()
        for day in wanted
    }


def cup_picture(lake: Path, day: date) -> tuple[str | None, str | None]:
    (row,) = (
        row
        for row in torch_side.read_date(CONTENTS, day, lake=lake).to_pylist()
        if (row["item_id"], row["modality"]) == ("cup", "image")
    )
    return row["content_hash"], row["reason"]


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate's reports go where the test's files go."""
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path / "var"))


@pytest.mark.usefixtures("var")
def test_a_night_stands_at_both_cuts_and_the_future_changes_nothing_in_it(spark, tmp_path, caplog):
    from spark.snapshots import snapshot

    caplog.set_level(logging.INFO)
    lake = tmp_path / "lake"
    write(spark, lake, REVIEWS, PAST + HOLDOUT)
    write(spark, lake, ITEMS, CATALOGUE)
    see(lake, "http://shop/cup.jpg", "unreachable")
    snapshot(spark, D, SETTINGS, lake)

    night = written(lake, H, D)
    assert night[f"cuts {D}"] == [
        {"run_date": D, "exam_cut": H, "holdout_users": 2, "holdout_events": 2, "events": 10, "decidable": True}
    ]
    at_h = [(r["user_id"], r["item_id"], r["in_core"], r["split"]) for r in night[f"interactions {H}"]]
    assert at_h == [
        ("ann", "bag", True, "train"),
        ("ann", "cup", True, "validation"),  # of the cups at one time the greatest review hash
        ("ann", "hat", False, "train"),
        ("bob", "bag", True, "train"),
        ("bob", "cup", True, "train"),
        ("cid", "bag", True, "train"),
        ("cid", "cup", True, "train"),
    ]
    at_d = {(r["user_id"], r["item_id"]) for r in night[f"interactions {D}"]}
    assert at_d - {row[:2] for row in at_h} == {("bob", "hat"), ("cid", "hat"), ("dan", "cup")}
    edges = {(r["src"], r["dst"], r["kind"], r["weight"]) for r in night[f"item_edges {H}"]}
    assert edges == {
        ("bag", "cup", "co_review", 3.0),
        ("bag", "hat", "co_review", 1.0),
        ("cup", "hat", "co_review", 1.0),
        ("bag", "hat", "also_bought", 1.0),
        ("cup", "hat", "also_bought", 1.0),
    }
    assert {r["item_id"] for r in night[f"contents {H}"]} == {"cup", "bag", "hat"}
    assert {r["item_id"] for r in night[f"contents {D}"]} == {"cup", "bag", "hat", "pen"}
    assert cup_picture(lake, D) == (None, "unreachable")
    assert "interactions at 2014-03-05: 10 rows, 4 users, 3 items; core 9 rows, 3 users, 3 items" in caplog.text

    publish(lake, D)
    see(lake, "http://shop/cup.jpg", "ok", sha("jpeg"))
    write(spark, lake, REVIEWS, FUTURE)
    write(spark, lake, ITEMS, LATER)
    snapshot(spark, D, SETTINGS, lake)
    assert written(lake, H, D) == night, "neither the future nor a picture that came late may change a finished date"

    assert snapshot(spark, NEXT, SETTINGS, lake).day == D
    assert cup_picture(lake, NEXT) == (sha("jpeg"), None)
    assert written(lake, H, D) == night, "nor may a later night whose exam cut it is"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            Settings(user_core=3, item_core=4, min_users=2, max_holdout_share=0.5),
            "the k-core of 2014-03-03, the exam cut of 2014-03-05, is empty: 7 pairs of 3 users and 3 items came in, "
            "1 round of user_core = 3 and item_core = 4 removed 4 pairs of users and 3 pairs of items below them and "
            "left none; lower user_core or item_core (RECSYS_CONFIG)",
        ),
        (
            Settings(user_core=2, item_core=2, min_users=2, max_holdout_share=0.5, min_rating=6.0),
            "the k-core of 2014-03-03, the exam cut of 2014-03-05, is empty: 7 pairs of 3 users and 3 items came in, "
            "all of them rated below min_rating = 6; lower min_rating (RECSYS_CONFIG)",
        ),
    ],
)
def test_an_empty_core_is_one_clear_sentence_and_nothing_is_written(spark, tmp_path, settings, message):
    from spark.snapshots import snapshot

    write(spark, tmp_path, REVIEWS, PAST + HOLDOUT)
    with pytest.raises(JobError) as caught:
        snapshot(spark, D, settings, tmp_path)
    assert str(caught.value) == message
    assert [path.name for path in tmp_path.iterdir()] == [REVIEWS.name]


def test_a_date_before_the_first_review_is_one_clear_sentence(spark, tmp_path):
    from spark.snapshots import snapshot

    write(spark, tmp_path, REVIEWS, PAST)
    with pytest.raises(JobError, match="no review before the end of 2014-02-28 in .*: ingest older dumps, or choose"):
        snapshot(spark, date(2014, 2, 28), SETTINGS, tmp_path)
    with pytest.raises(JobError, match="no review before the end of 2014-03-05 in "):
        snapshot(spark, D, SETTINGS, tmp_path / "empty")


def test_snapshots_stand_until_what_they_are_made_from_changes(spark, tmp_path: Path) -> None:
    from spark.snapshots import is_current, snapshot

    write(spark, tmp_path, REVIEWS, PAST + HOLDOUT)
    write(spark, tmp_path, ITEMS, CATALOGUE)
    assert not is_current(D, SETTINGS, tmp_path)
    snapshot(spark, D, SETTINGS, tmp_path)
    assert is_current(D, SETTINGS, tmp_path)
    assert not is_current(NEXT, SETTINGS, tmp_path)
    assert not is_current(D, replace(SETTINGS, item_core=3), tmp_path)
    assert is_current(D, replace(SETTINGS, recipe="ease"), tmp_path)
    torch_side.remove_rows(INTERACTIONS, pc.field("as_of") == H, tmp_path)
    assert not is_current(D, SETTINGS, tmp_path), "a cut was dropped"
    snapshot(spark, D, SETTINGS, tmp_path)
    write(spark, tmp_path, REVIEWS, FUTURE)
    assert not is_current(D, SETTINGS, tmp_path)
