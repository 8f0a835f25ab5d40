"""What counts as landed, and what the place of a file says about it."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import JobError
from spark.landing import LandedFile, discover


def _land(landing: Path, *paths: str) -> None:
    for path in paths:
        (landing / path).parent.mkdir(parents=True, exist_ok=True)
        (landing / path).write_text("{}\n")


def test_place_says_dataset_kind_and_landing_date(tmp_path: Path) -> None:
    _land(
        tmp_path,
        "music/reviews/reviews.json.gz",
        "music/date=2014-03-01/items/meta.jsonl",
        "beauty/reviews/part [1].json",
    )
    assert discover(tmp_path) == [
        LandedFile("beauty/reviews/part [1].json", "beauty", "reviews", None),
        LandedFile("music/date=2014-03-01/items/meta.jsonl", "music", "items", date(2014, 3, 1)),
        LandedFile("music/reviews/reviews.json.gz", "music", "reviews", None),
    ]


def test_images_hidden_names_and_other_endings_are_no_dumps(tmp_path: Path) -> None:
    _land(
        tmp_path,
        "music/reviews/a.json",
        "music/reviews/.b.json",
        "music/reviews/_c.json",
        "music/reviews/d.csv",
        "music/images/e.json",
        ".cache/f.json",
    )
    assert [file.path for file in discover(tmp_path)] == ["music/reviews/a.json"]


def test_names_may_be_anything(tmp_path: Path) -> None:
    """A colon, capitals, a line break, bytes that are no UTF-8: what is printed is one line of text."""
    _land(
        tmp_path,
        "music/reviews/at 02:00:00.JSON",
        "music/reviews/b.Jsonl.GZ",
        "music/reviews/c.ndjson",
        "music/items/d\n.json",
    )
    odd = os.fsdecode(b"music/items/caf\xe9.json")
    _land(tmp_path, odd)
    files = discover(tmp_path)
    assert [file.path for file in files] == [
        "music/items/caf\\xe9.json",
        "music/items/d\\x0a.json",
        "music/reviews/at 02:00:00.JSON",
        "music/reviews/b.Jsonl.GZ",
        "music/reviews/c.ndjson",
    ]
    assert files[0].place == tmp_path / odd


def test_names_that_print_alike_are_told_apart_by_whoever_gave_them(tmp_path: Path) -> None:
    _land(tmp_path, "music/items/a\\x0a.json", "music/items/a\n.json")
    with pytest.raises(JobError, match=r"have names that print as music/items/a.*: rename one"):
        discover(tmp_path)


def test_missing_landing_zone_says_how_one_is_laid_out(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"no landing zone at .*/nowhere.*RECSYS_LANDING.*<dataset>"):
        discover(tmp_path / "nowhere")


def test_empty_landing_zone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="nothing landed"):
        discover(tmp_path)


def test_folder_without_a_dump_is_named(tmp_path: Path) -> None:
    _land(tmp_path, "music/reviews/a.json", "beauty/review/a.json")
    with pytest.raises(JobError, match=r"beauty holds no dump.*\{reviews,items\}"):
        discover(tmp_path)


def test_folder_with_an_impossible_date_is_named(tmp_path: Path) -> None:
    _land(tmp_path, "music/date=2014-02-30/reviews/a.json")
    with pytest.raises(JobError, match="date=2014-02-30 does not name a date"):
        discover(tmp_path)
