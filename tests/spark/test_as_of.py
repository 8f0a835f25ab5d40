"""The night of D is a function of what is known at the end of D: from raw dumps to what fits are made from.

Five people buy from six items for nine days, and the world goes on. Each test lands two zones that agree on what D
may know, and differ in all else.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CUTS, ITEM_IMAGES
from recsys_jobs.data.content_hash import content_hash
from recsys_jobs.data.from_lake import load_dataset, load_holdout
from recsys_jobs.embed import store
from recsys_jobs.embed.needed import count_missing, count_needed, open_tables
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.lake import delta as torch_side
from recsys_jobs.lake.cuts import exam_cut
from recsys_jobs.operations.lake_diff import diff
from tests.spark.zones import Zone, review

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SETTINGS = Settings(user_core=2, item_core=2, min_users=3, max_holdout_share=0.5)
H, D, NEXT = date(2010, 1, 7), date(2010, 1, 9), date(2010, 1, 10)
#  (user, item, days after 2010-01-01); the holdout of D is what happens on the last two days
HISTORY = [
    *(("A1", "B1", 0), ("A1", "B2", 1), ("A1", "B3", 2), ("A2", "B1", 0), ("A2", "B2", 3), ("A2", "B4", 4)),
    *(("A3", "B2", 1), ("A3", "B3", 2), ("A3", "B4", 5), ("A4", "B1", 3), ("A4", "B4", 6), ("A5", "B3", 6)),
]
HOLDOUT = [("A1", "B4", 7), ("A2", "B3", 7), ("A3", "B1", 8), ("A4", "B5", 8), ("A6", "B1", 8)]
#  the same days and people, other items, and words that nobody wrote before
POISONED_HOLDOUT = [("A1", "B5", 7), ("A2", "B5", 7), ("A3", "B5", 8), ("A4", "B2", 8), ("A6", "B5", 8)]
#  later events of old and new people with old and new items, a pair that D has already, and one of the next minute
FUTURE = [("A1", "B5", 9), ("A2", "B6", 9), ("A5", "B1", 10), ("A7", "B2", 10), ("A7", "B7", 11), ("A1", "B1", 9)]


def product(name: str, title: str, *also: str) -> dict[str, Any]:
    whole = {"asin": name, "title": title, "description": f"{title}, blue", "imUrl": picture(title)}
    return whole | {"related": {"also_bought": list(also)}}


def picture(title: str) -> str:
    return f"http://shop/{title.replace(' ', '-')}.jpg"


CATALOGUE = [product(f"B{n}", f"Thing {n}", f"B{n % 6 + 1}") for n in (1, 2, 3, 4)]  # landed nobody knows when
EDITED = [product(f"B{n}", f"Edited thing {n}", "B9") for n in (1, 2, 5, 8)]  # landed after D


def land(spark: Any, root: Path, *events: list[tuple[str, str, int]], words: str = "good") -> Zone:
    """A landing zone with the catalogue and these events, `words` in the reviews of the holdout."""
    zone = Zone(spark, root, max_quarantined=0.5)
    lines = [
        review(user, item, day, reviewText=f"{words if day in (7, 8) else 'fine'} {user} {item}")
        for group in events
        for user, item, day in group
    ]
    zone.land("shop/reviews/all.json.gz", *lines)
    zone.land("shop/items/all.json", *[json.dumps(one) for one in CATALOGUE])
    return zone


def see(zone: Zone, *names: str) -> None:
    """The images step found pictures of these titles."""
    rows = [
        dict.fromkeys(ITEM_IMAGES.names)
        | {"item_id": f"B{name[-1]}", "source": picture(name), "state": "ok"}
        | {"content_hash": hashlib.sha256(name.encode()).hexdigest()}
        for name in names
    ]
    torch_side.upsert(ITEM_IMAGES, pa.Table.from_pylist(rows, torch_side.arrow_schema(ITEM_IMAGES)), zone.lake)


def snapshot(zone: Zone, day: date) -> None:
    from spark.snapshots import snapshot

    snapshot(zone.spark, day, SETTINGS, zone.lake)


def fitted_from(zone: Zone, day: date, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the night's two fits are made from, as their fingerprints see it; vectors are drawn from content hashes."""
    monkeypatch.setenv("RECSYS_LAKE", str(zone.lake))
    for modality in ("text", "image"):
        _embed(day, modality, zone.lake)
    cut, _ = exam_cut(day)
    return {"exam": content_hash(load_dataset(cut, SETTINGS)), "serving": content_hash(load_dataset(day, SETTINGS))}


def _embed(day: date, modality: str, lake: Path) -> None:
    encoder = encoder_name(SETTINGS, modality)
    with open_tables() as tables:
        count_needed(tables, day, modality, SETTINGS)
        count_missing(tables, encoder)
        hashes = [row[0] for row in tables.execute("SELECT content_hash FROM missing ORDER BY 1").fetchall()]
    vectors = [np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)[:8] / 255 for text in hashes]
    if hashes:
        store.append_new(encoder, hashes, np.array(vectors, np.float32), lake)


def equal(one: Zone, other: Zone, day: date) -> dict[str, int]:
    """Rows of the snapshot tables at a date, the same in both lakes."""
    found = diff(one.lake, other.lake, day)
    assert [line for table in found for line in table.first] == []
    return {table.table: table.rows_a for table in found if table.rows_a}


@pytest.fixture(autouse=True)
def no_gates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("expectations.gate.validate_date", lambda *_: None)
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path / "var"))


@pytest.fixture
def known(spark: Any, tmp_path: Path) -> Zone:
    """The zone that ends with D, and its night."""
    zone = land(spark, tmp_path / "known", HISTORY, HOLDOUT)
    zone.ingest()
    see(zone, "Thing 1", "Thing 2")
    snapshot(zone, D)
    [cut] = torch_side.read_date(CUTS, D, lake=zone.lake).to_pylist()
    assert (cut["exam_cut"], cut["holdout_users"], cut["decidable"]) == (H, 4, True)
    return zone


def test_later_events_items_titles_and_pictures_change_nothing_even_if_later_nights_ran_before(
    spark: Any, tmp_path: Path, known: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = land(spark, tmp_path / "poisoned", HISTORY, HOLDOUT, FUTURE)
    poisoned.land(f"shop/date={NEXT}/items/edited.json", *[json.dumps(one) for one in EDITED])
    poisoned.ingest()
    see(poisoned, "Thing 1", "Thing 2", "Edited thing 1", "Edited thing 5")
    snapshot(poisoned, date(2010, 1, 12))
    snapshot(poisoned, NEXT)
    later = fitted_from(poisoned, NEXT, monkeypatch)
    snapshot(poisoned, D)

    for day in (H, D):
        assert set(equal(known, poisoned, day)) >= {"interactions", "item_edges", "contents"}
    assert set(equal(known, poisoned, D)) == {"cuts", "interactions", "item_edges", "contents"}
    now = fitted_from(known, D, monkeypatch)
    assert fitted_from(poisoned, D, monkeypatch) == now
    assert later["serving"] != now["serving"], "the poison works where it may"


def test_the_holdout_reaches_no_exam_fit(
    spark: Any, tmp_path: Path, known: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = land(spark, tmp_path / "poisoned", HISTORY, POISONED_HOLDOUT, words="dreadful")
    poisoned.ingest()
    see(poisoned, "Thing 1", "Thing 2")
    snapshot(poisoned, D)

    assert equal(known, poisoned, H)["interactions"] == len(HISTORY)
    ours, theirs = fitted_from(known, D, monkeypatch), fitted_from(poisoned, D, monkeypatch)
    assert ours["exam"] == theirs["exam"]
    assert ours["serving"] != theirs["serving"]
    measured = []
    for zone in (known, poisoned):
        monkeypatch.setenv("RECSYS_LAKE", str(zone.lake))
        dataset = load_dataset(H, SETTINGS)
        holdout = load_holdout(D, H, dataset)
        measured.append([dataset.items[item] for item in holdout.item_T])
    assert sorted(measured[0]) == ["B1", "B3", "B4"] and sorted(measured[1]) == ["B2"], "B5 is not known at H"
