"""Odd but honest files, all in one night: what tools, systems and habits make of a dump enters as it was meant."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import INGEST_FILES, ITEMS, REVIEWS
from tests.spark.zones import Zone, review

pytestmark = pytest.mark.slow

MARK = b"\xef\xbb\xbf"


def lines(*rows: Any, write: Any = json.dumps, end: str = "\n") -> bytes:
    return "".join(write(row) + end for row in rows).encode()


def item(item_id: str, **fields: Any) -> dict[str, Any]:
    return {"asin": item_id, "title": f"Title {item_id}", "imUrl": ""} | fields


def python2(row: dict[str, Any]) -> str:
    """As Python 2 prints a dictionary of its unicode texts."""
    parts = (
        f"u'{name}': " + ("u" + ascii(value) if isinstance(value, str) else repr(value)) for name, value in row.items()
    )
    return "{" + ", ".join(parts) + "}"


PAIR = lines(review("A1"), review("A2"))
READ: dict[str, bytes] = {
    "names/reviews/at 2014-02-28T02:00:00.json": lines(review("N1")),
    "names/reviews/a:b [1]{2} 100% +.json.gz": gzip.compress(lines(review("N2"))),
    "names/reviews/CAPITALS.JSON": lines(review("N3")),
    "names/reviews/caf\udce9.json": lines(review("N4")),
    "names/reviews/line\nbreak.ndjson": lines(review("N5")),
    "names/reviews/back\\slash'\".jsonl": lines(review("N6")),
    "packed/reviews/plain.json.gz": lines(review("P1")),
    "packed/reviews/gzip.json": gzip.compress(lines(review("P2"))),
    "packed/reviews/padded.json.gz": gzip.compress(lines(review("P3")) + b"\n") + bytes(10_000),
    "packed/reviews/members.json.gz": gzip.compress(lines(review("P4"))) + gzip.compress(lines(review("P5"))) + b"\0",
    "marks/reviews/mark.json": MARK + lines(review("M1"), end="\r\n"),
    "marks/reviews/joined.json": MARK + lines(review("M2")) + MARK + lines(review("M3")),
    "marks/reviews/mark.json.gz": gzip.compress(MARK + lines(review("M4"))),
    "marks/items/one.json": MARK + lines(item("M1"), write=repr, end="\r\n"),
    "words/reviews/nan.json": lines(review("W1", helpful=float("nan"), vote=float("inf"))),
    "words/reviews/literals.json": lines(review("W2", summary="Don't"), write=repr),
    "words/reviews/python2.json.gz": gzip.compress(lines(review("W3", summary="Caf\xe9"), write=python2)),
    "words/reviews/mixed.json": lines(review("W4")) + lines(review("W5"), write=repr),
    "words/items/mixed.json": lines(*map(item, ("W0", "W1", "W2")), write=repr) + b'{"asin": "W9", "title": "a\\/b"}\n',
    "early/reviews/2023.jsonl": lines(
        {"user_id": "E1", "parent_asin": "B1", "rating": 4.0, "sort_timestamp": 1_627_679_830_425, "text": "fine"}
    ),
    "export/items/2023.jsonl": lines(
        {"parent_asin": "X1", "title": "Clip", "price": "None", "videos": {"title": [], "user_id": ["A1"]}}
    ),
}  # fmt: skip
REFUSED: dict[str, tuple[bytes, str]] = {
    "bad/reviews/utf16.json": (PAIR.decode().encode("utf-16"), "UTF-16 text, not UTF-8: `iconv"),
    "bad/reviews/array.json": (
        json.dumps([review("A1")]).encode(),
        "a JSON array, not one object a line: `jq -c '.[]'`",
    ),
    "bad/reviews/pretty.json": (json.dumps(review("A1"), indent=1).encode(), "objects printed over several lines"),
    "bad/reviews/page.json.gz": (b"<html>gone</html>", "an HTML or XML page"),
    "bad/reviews/table.json": (b"reviewerID,asin,overall\nA1,B1,5\n", "delimited text with a header"),
    "bad/reviews/columns.json": (json.dumps({"asin": {"0": "B1"}, "overall": {"0": 5}}).encode(), "whole columns"),
    "bad/reviews/damaged.json.gz": (gzip.compress(PAIR) + b"\0\0tail", "zeros and then more bytes follow its gzip"),
    "bad/items/together.json": (lines(item("B1"), item("B2"), end=" "), "several objects on one line"),
}


@pytest.fixture(scope="module")
def zone(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Zone:
    zone = Zone(spark, tmp_path_factory.mktemp("odd"))
    for name, content in (READ | {name: content for name, (content, _) in REFUSED.items()}).items():
        path = zone.root / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with pytest.raises(JobError) as error:
        zone.ingest()
    (zone.root / "said").write_text(str(error.value))
    return zone


def printed(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace").replace("\n", "\\x0a")


def test_every_file_of_an_honest_kind_enters_whole(zone: Zone) -> None:
    counts = {path: (good, out, state) for path, (_, good, out, _, state) in zone.counts().items()}
    for name in READ:
        good, out, state = counts[printed(name)]
        assert (good > 0, out, state) == (True, 0, "accepted"), name


def test_each_review_is_there_with_what_it_said(zone: Zone) -> None:
    users = [user for (user,) in zone.rows(REVIEWS, "user_id")]
    assert users == sorted(
        ["E1", "M1", "M2", "M3", "M4", *(f"N{n}" for n in range(1, 7)), *(f"P{n}" for n in range(1, 6))]
        + [f"W{n}" for n in range(1, 6)]
    )  # fmt: skip
    assert zone.rows(REVIEWS, "user_id", "title")[-5:] == [
        ("W1", "yes"), ("W2", "Don't"), ("W3", "Café"), ("W4", "yes"), ("W5", "yes"),
    ]  # fmt: skip
    early = zone.read(REVIEWS).where("user_id = 'E1'").select(F.unix_millis("reviewed_at"), "rating", "text")
    assert tuple(early.first() or ()) == (1_627_679_830_425, 4.0, "fine")


def test_each_item_is_there_with_what_it_said(zone: Zone) -> None:
    assert zone.rows(ITEMS, "item_id", "title", "price") == [
        ("M1", "Title M1", None),
        ("W0", "Title W0", None),
        ("W1", "Title W1", None),
        ("W2", "Title W2", None),
        ("W9", "a/b", None),
        ("X1", "Clip", None),
    ]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_says_what_it_is(zone: Zone, name: str) -> None:
    (row,) = zone.read(INGEST_FILES).where(F.col("path") == name).collect()
    assert (row.state, row.rows_good) == ("refused", 0)
    assert REFUSED[name][1] in row.message
    assert f"{name}: {row.message}" in (zone.root / "said").read_text()


def test_a_refusal_names_the_first_line_and_what_is_wrong_there(spark: SparkSession, tmp_path: Path) -> None:
    zone = Zone(spark, tmp_path)
    zone.land(
        "shop/reviews/a.json", review("A1"), review("A2", unixReviewTime="2014-03-01"), review("A3", overall="5,0")
    )
    with pytest.raises(JobError, match=r"wrong_type 2; the first is line 2: time=2014-03-01\)"):
        zone.ingest()
