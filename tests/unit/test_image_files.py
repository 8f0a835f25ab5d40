"""Image files in the landing zone, and the store they end in."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from recsys_jobs.images import local, store
from recsys_jobs.images.outcome import NoImage


def landed(landing: Path, source: str, data: bytes = b"bytes") -> str:
    path = landing / source
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return source


def state_of(landing: Path, source: str, max_bytes: int = 100) -> str:
    with pytest.raises(NoImage) as caught:
        local.read(landing, source, max_bytes)
    return caught.value.state


def test_image_files_are_listed_by_item(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in (
        "A1.jpg",
        "B_2.jpeg",
        "C-3.PNG",
        "D4.gif",
        "D5.WebP",
        "D6.jfif",
        "D7.bmp",
        "E 5.jpg",
        "..F.jpg",
        "x" * 65 + ".jpg",
        ".jpg",
    ):
        landed(tmp_path, f"shop/images/{name}")
    landed(tmp_path, "other/images/A1.jpg")
    landed(tmp_path, "other/reviews/A1.jpg")
    assert sorted(local.files(tmp_path)) == [
        ("A1", "other/images/A1.jpg"),
        ("A1", "shop/images/A1.jpg"),
        ("B_2", "shop/images/B_2.jpeg"),
        ("C-3", "shop/images/C-3.PNG"),
        ("D4", "shop/images/D4.gif"),
        ("D5", "shop/images/D5.WebP"),
        ("D6", "shop/images/D6.jfif"),
    ]
    assert (
        "3 entries of shop/images are left alone, such as 'D7.bmp': an image is called ITEM_ID and ends in"
        in caplog.text
    )


def test_a_landing_zone_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert list(local.files(tmp_path / "nowhere")) == []


def test_a_file_is_read(tmp_path: Path) -> None:
    assert local.read(tmp_path, landed(tmp_path, "shop/images/A1.jpg"), 5) == b"bytes"


def test_a_link_inside_the_landing_zone_is_followed(tmp_path: Path) -> None:
    landed(tmp_path, "shop/images/A1.jpg")
    (tmp_path / "shop/images/A2.jpg").symlink_to("A1.jpg")
    assert local.read(tmp_path, "shop/images/A2.jpg", 100) == b"bytes"


def test_links_out_of_the_landing_zone_are_refused(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    landed(landing, "shop/images/A1.jpg")
    landed(tmp_path, "secrets/A2.jpg", b"secret")
    (landing / "shop/images/A2.jpg").symlink_to(tmp_path / "secrets/A2.jpg")
    (landing / "linked").mkdir()
    (landing / "linked/images").symlink_to(tmp_path / "secrets")
    assert state_of(landing, "shop/images/A2.jpg") == "blocked"
    assert state_of(landing, "linked/images/A2.jpg") == "blocked"
    assert state_of(landing, "../secrets/A2.jpg") == "blocked"


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "shop/images/A1.jpg").mkdir(parents=True)
    os.mkfifo(tmp_path / "shop/images/A2.jpg")
    (tmp_path / "shop/images/A3.jpg").symlink_to("A3.jpg")
    assert state_of(tmp_path, "shop/images/A1.jpg") == "blocked"
    assert state_of(tmp_path, "shop/images/A2.jpg") == "blocked"
    assert state_of(tmp_path, "shop/images/A3.jpg") == "unreachable"


def test_a_file_that_went_away_is_missing_and_a_large_one_too_large(tmp_path: Path) -> None:
    assert state_of(tmp_path, "shop/images/A1.jpg") == "missing"
    assert state_of(tmp_path, landed(tmp_path, "shop/images/A2.jpg"), max_bytes=4) == "too_large"


def test_the_store_holds_each_content_once_under_its_hash(tmp_path: Path) -> None:
    content_hash = store.put(tmp_path, b"jpeg")
    assert content_hash == hashlib.sha256(b"jpeg").hexdigest()
    assert store.put(tmp_path, b"jpeg") == content_hash
    assert store.has(tmp_path, content_hash)
    stored = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert stored == [tmp_path / "images" / content_hash[:2] / f"{content_hash}.jpg"]
    assert stored[0].read_bytes() == b"jpeg"
