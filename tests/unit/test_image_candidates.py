"""Which items want an image at a date, where from, and in which order the sources are tried."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import ITEM_IMAGES, ITEMS, REVIEWS, Table
from recsys_jobs.images import store
from recsys_jobs.images.image_candidates import Item, PastAttempt, Source, open_candidates
from recsys_jobs.images.intake import IntakeContext, resolve_item
from recsys_jobs.images.outcome import Outcome
from recsys_jobs.lake import delta

DAY = date(2014, 3, 1)
BEFORE, AFTER = date(2014, 2, 28), date(2014, 3, 2)
U1, U2, U3, U4 = (f"http://images.example/{n}.jpg" for n in (1, 2, 3, 4))


def write(lake: Path, table: Table, rows: list[dict[str, object]]) -> None:
    """Write rows as Spark would; columns that a row leaves out are empty."""
    full = [dict.fromkeys(table.names) | row for row in rows]
    schema = pa.schema([field.with_nullable(True) for field in delta.arrow_schema(table)])
    write_deltalake(str(lake / table.name), pa.Table.from_pylist(full, schema), mode="append")


def version(item_id: str, landed_on: date | None, urls: list[str | None] | None, item_hash: str = "h") -> dict:
    return {
        "dataset": "shop", "item_id": item_id, "landed_on": landed_on, "item_hash": item_hash, "image_urls": urls
    }  # fmt: skip


def review(item_id: str, at: datetime) -> dict:
    return {"dataset": "shop", "user_id": "u", "item_id": item_id, "reviewed_at": at}


def looked(item_id: str, source: str, state: str, content_hash: str | None = None, on: date = BEFORE) -> dict:
    return {
        "item_id": item_id, "source": source, "state": state, "content_hash": content_hash, "checked_on": on
    }  # fmt: skip


def chains(lake: Path, landing: Path, day: date = DAY) -> dict[str, list[list[str]]]:
    with open_candidates(day, landing, lake) as want:
        return {i.item_id: [[s.source for s in chain] for chain in i.chains] for i in want.items}


def test_an_empty_lake_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="run the ingest step first"):
        chains(tmp_path, tmp_path)


def test_items_of_the_future_want_nothing(tmp_path: Path) -> None:
    rows = [version("A", BEFORE, [U1]), version("B", None, [U2]), version("C", DAY, [U3]), version("D", AFTER, [U4])]
    write(tmp_path, ITEMS, rows)
    assert chains(tmp_path, tmp_path) == {"A": [[U1]], "B": [[U2]], "C": [[U3]]}


def test_the_version_in_force_comes_first_and_older_ones_after_it(tmp_path: Path) -> None:
    rows = [
        version("A", None, [U1]),
        version("A", BEFORE, [U3], "h2"),
        version("A", BEFORE, [U2], "h1"),
        version("A", AFTER, [U4]),
    ]
    write(tmp_path, ITEMS, rows)
    assert chains(tmp_path, tmp_path) == {"A": [[U2], [U3], [U1]]}


def test_urls_keep_their_order_without_blanks_and_repeats_and_three_are_enough(tmp_path: Path) -> None:
    write(tmp_path, ITEMS, [version("A", None, [None, U3, "", U1, U3, U4, U2]), version("B", None, None)])
    assert chains(tmp_path, tmp_path) == {"A": [[U3, U1, U4]]}


def test_files_come_before_urls_for_every_eligible_item(tmp_path: Path) -> None:
    lake, landing = tmp_path / "lake", tmp_path / "landing"
    write(lake, ITEMS, [version("A", None, [U1])])
    last, first = datetime(2014, 3, 1, 23, 59, 59, tzinfo=UTC), datetime(2014, 3, 2, tzinfo=UTC)
    write(lake, REVIEWS, [review("B", last), review("B", last), review("C", first)])
    (landing / "shop" / "images").mkdir(parents=True)
    for name in ("A.jpg", "B.png", "B.jpg", "C.jpg", "Z.jpg"):
        (landing / "shop" / "images" / name).touch()
    assert chains(lake, landing) == {
        "A": [["shop/images/A.jpg"], [U1]],
        "B": [["shop/images/B.jpg", "shop/images/B.png"]],
    }
    with open_candidates(DAY, landing, lake) as want:
        assert (want.eligible, want.with_sources) == (2, 2)


def test_what_is_known_of_a_source_comes_with_it(tmp_path: Path) -> None:
    write(tmp_path, ITEMS, [version("A", None, [U1]), version("B", None, [U1, U2]), version("C", None, [U2])])
    write(tmp_path, ITEM_IMAGES, [looked("A", U1, "missing"), looked("C", U2, "unreachable")])
    with open_candidates(DAY, tmp_path, tmp_path) as want:
        found = {i.item_id: i.chains[0] for i in want.items}
    missing = PastAttempt(Outcome("missing"), BEFORE)
    assert found["A"] == (Source(U1, False, True, own=missing, other=missing),)
    assert found["B"] == (Source(U1, False, True, None, other=missing), Source(U2, False, True, None, None))
    assert found["C"] == (Source(U2, False, True, own=PastAttempt(Outcome("unreachable"), BEFORE), other=None),)


# From here on: the walk over one item's sources.


def url(source: str, own: PastAttempt | None = None, other: PastAttempt | None = None) -> Source:
    return Source(source, is_file=False, is_shared=False, own=own, other=other)


def file(source: str, own: PastAttempt | None = None) -> Source:
    return Source(source, is_file=True, is_shared=False, own=own, other=None)


def walk(
    tmp_path: Path, *walked: tuple[Source, ...], answers: dict[str, str], allowed: tuple[str, ...] = ()
) -> tuple[list[str], dict[str, str]]:
    """Sources that were tried, in order, and the states of the rows that are new."""
    tried: list[str] = []

    def take(source: Source) -> Outcome:
        tried.append(source.source)
        return Outcome(answers[source.source])

    run = IntakeContext(DAY, Settings(image_allowed_hosts=allowed), tmp_path, tmp_path)
    rows = resolve_item(run, Item("A", walked), take)
    return tried, {row.source: row.outcome.state for row in rows}


def test_the_first_good_source_ends_the_walk(tmp_path: Path) -> None:
    assert walk(tmp_path, (url(U1), url(U2)), answers={U1: "ok"}) == ([U1], {U1: "ok"})


@pytest.mark.parametrize("state", ["missing", "corrupt", "too_large", "blocked"])
def test_a_lasting_failure_goes_on_to_the_next_url(tmp_path: Path, state: str) -> None:
    assert walk(tmp_path, (url(U1), url(U2)), answers={U1: state, U2: "ok"})[0] == [U1, U2]


def test_an_unreachable_url_waits_for_the_next_night(tmp_path: Path) -> None:
    assert walk(tmp_path, (url(U1), url(U2)), answers={U1: "unreachable"}) == ([U1], {U1: "unreachable"})


def test_a_file_that_fails_in_any_way_leaves_the_urls(tmp_path: Path) -> None:
    assert walk(tmp_path, (file("f"),), (url(U1),), answers={"f": "unreachable", U1: "ok"})[0] == ["f", U1]


def test_a_good_file_settles_every_version(tmp_path: Path) -> None:
    assert walk(tmp_path, (file("f"),), (url(U1),), (url(U2),), answers={"f": "ok"})[0] == ["f"]


def test_each_version_gets_its_picture_and_each_url_one_try(tmp_path: Path) -> None:
    answers = {U1: "missing", U2: "ok", U3: "ok"}
    assert walk(tmp_path, (url(U1), url(U2)), (url(U2),), (url(U1), url(U3)), answers=answers)[0] == [U1, U2, U3]


@pytest.mark.parametrize(
    ("state", "on", "is_tried"),
    [
        ("unreachable", BEFORE, True),
        ("unreachable", DAY, False),
        ("unreachable", AFTER, False),
        ("missing", BEFORE, False),
        ("corrupt", BEFORE, False),
        ("too_large", BEFORE, False),
        ("blocked", BEFORE, False),
    ],
)
def test_only_unreachable_urls_of_earlier_nights_are_tried_again(
    tmp_path: Path, state: str, on: date, is_tried: bool
) -> None:
    tried, _ = walk(tmp_path, (url(U1, own=PastAttempt(Outcome(state), on)),), answers={U1: "ok"})
    assert tried == [U1] * is_tried


def test_a_blocked_url_is_tried_again_once_its_host_is_named(tmp_path: Path) -> None:
    blocked = url(U1, own=PastAttempt(Outcome("blocked"), BEFORE))
    assert walk(tmp_path, (blocked,), answers={U1: "ok"}, allowed=("images.example",))[0] == [U1]


def test_a_corrupt_file_is_looked_at_again_on_a_later_night(tmp_path: Path) -> None:
    assert walk(tmp_path, (file("f", PastAttempt(Outcome("corrupt"), BEFORE)),), answers={"f": "ok"})[0] == ["f"]
    assert walk(tmp_path, (file("f", PastAttempt(Outcome("corrupt"), DAY)),), answers={"f": "ok"})[0] == []


def test_a_stored_image_is_never_taken_again_unless_the_store_lost_it(tmp_path: Path) -> None:
    known = PastAttempt(Outcome("ok", store.put(tmp_path, b"jpeg"), 2, 2), BEFORE)
    assert walk(tmp_path, (url(U1, own=known),), answers={}) == ([], {})
    lost = PastAttempt(Outcome("ok", "0" * 64, 2, 2), BEFORE)
    assert walk(tmp_path, (url(U1, own=lost),), answers={U1: "ok"}) == ([U1], {U1: "ok"})


def test_what_another_item_found_out_is_adopted(tmp_path: Path) -> None:
    elsewhere = PastAttempt(Outcome("ok", store.put(tmp_path, b"jpeg"), 2, 2), BEFORE)
    assert walk(tmp_path, (url(U1, other=elsewhere),), answers={}) == ([], {U1: "ok"})
