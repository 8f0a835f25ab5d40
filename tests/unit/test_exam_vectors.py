"""Contents of a data set: each is encoded once, whatever data set asks; photos that are none are told.

The store is the real one; the encoder is a sum of bytes, so that the answer is known.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.readers.raw import EventLog, Item, RawData, build_raw_data
from recsys_jobs.embed import store
from recsys_jobs.exam import contents
from recsys_jobs.exam.contents import Contents, load_contents
from recsys_jobs.images.validate import normalise


@pytest.fixture
def encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was encoded, in order; a text's vector is its length and 1, a photo's its number of bytes."""
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(contents, "encoder_name", lambda settings, modality: f"{modality}-lengths")
    asked: list[Any] = []

    def load(settings: Settings, modality: str) -> Callable[[list[Any]], np.ndarray]:
        def encode(shop_contents: list[Any]) -> np.ndarray:
            asked.extend(shop_contents)
            return np.array([[len(one), 1] for one in shop_contents], np.float32)

        return encode

    monkeypatch.setattr(contents, "load_encoder", load)
    return asked


def shop_contents(folder: Path, items: dict[str, Item], reviews: list[str] | None = None) -> Contents:
    log = EventLog(["u"] * len(items), list(items), review=reviews or (), ordered=True)
    raw: RawData = build_raw_data(folder, "csv_folder", log, items)
    return load_contents(raw, np.ones(len(items), np.bool_), Settings())


def test_a_text_is_encoded_once_and_a_blank_one_never(tmp_path: Path, encoded: list[Any]) -> None:
    found = shop_contents(tmp_path, {"a": Item("cup"), "b": Item(""), "c": Item("cup"), "d": Item("plate")})
    assert sorted(encoded) == ["cup", "plate"]
    assert found.text_IT.tolist() == [[3, 1], [0, 0], [3, 1], [5, 1]]
    assert found.text_present_I.tolist() == [True, False, True, True]
    shop_contents(tmp_path / "other", {"z": Item("plate"), "y": Item("pan")})
    assert sorted(encoded) == ["cup", "pan", "plate"]


def test_reviews_share_the_texts_vectors(tmp_path: Path, encoded: list[Any]) -> None:
    found = shop_contents(tmp_path, {"a": Item("cup"), "b": Item("x", described=False)}, ["", "so so"])
    assert found.review_E.tolist() == [-1, 0]
    assert found.review_RT.tolist() == [[5, 1]]
    assert found.from_reviews_I.tolist() == [False, True]


def test_nothing_to_encode_loads_no_encoder(tmp_path: Path, encoded: list[Any]) -> None:
    found = shop_contents(tmp_path, {"a": Item(), "b": Item()})
    assert found.text_IT.shape == found.image_IV.shape == (2, 0)
    assert found.review_RT.shape == (0, 0)
    assert encoded == []


def test_photos(tmp_path: Path, encoded: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    """One photo for two items, one file that is no photo, one that is not there: taken in as a night does."""
    file = io.BytesIO()
    Image.new("RGBA", (20, 30), (255, 0, 0, 0)).save(file, "PNG")
    for name in ("a", "b"):
        (tmp_path / f"{name}.jpg").write_bytes(file.getvalue())
    (tmp_path / "c.jpg").write_bytes(b"no photo")
    found = shop_contents(tmp_path, {name: Item(image=tmp_path / f"{name}.jpg") for name in "abcd"})
    assert found.image_present_I.tolist() == [True, True, False, False]
    picture = normalise(file.getvalue(), Settings().image_side, Settings().image_max_pixels).jpeg
    assert found.image_IV[0].tolist() == [len(picture), 1]
    assert encoded == [picture]
    sha256 = hashlib.sha256(file.getvalue()).hexdigest()
    assert store.known_hashes("image-lengths/taken-in", [sha256], tmp_path / "var" / "exams" / "lake") == {sha256}
    assert "1 photos cannot be read and count as none" in caplog.text
