"""Encoders from scratch on a small lake: what precedes the boundary counts and nothing else, and a night uses them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from recsys_jobs.contracts.tables import ITEM_IMAGES, ITEMS, REVIEWS
from recsys_jobs.embed import job
from recsys_jobs.embed.from_scratch import encoders, sizes
from recsys_jobs.embed.from_scratch.corpus import Corpus, lake_corpus
from recsys_jobs.embed.job import load_settings
from tests.components.test_embed_job import content, cut, embedded, event, found, item, places, put, sha256, stored_jpeg
from tests.unit.test_scratch import TINY

__all__ = ["places"]  # an empty lake for each test
BOUNDARY, H, D, LATER = date(2014, 4, 1), date(2014, 4, 20), date(2014, 5, 1), date(2014, 6, 1)


def picture(item_id: str, colour: str, source: str) -> str:
    content_hash = stored_jpeg(colour)
    put(ITEM_IMAGES, [{"item_id": item_id, "source": source, "state": "ok", "content_hash": content_hash}])
    return content_hash


def small_shop() -> None:
    """Two mugs and a lamp with reviews of January and photos: one local, one by address."""
    for name, title in (("mug", "Blue mug"), ("cup", "Red cup")):
        item(name, title, "Holds tea")
        event("ann", name, 3, f"The {title} is lovely", as_of=(H, D))
        event("bob", name, 4, f"My {title} broke", as_of=(H, D))
    address = "http://pictures/lamp.jpg"
    lamp = {"item_id": "lamp", "title": "Lamp", "text_hash": sha256("Lamp\n"), "image_urls": [address]}
    put(ITEMS, [lamp | {"landed_on": date(2014, 3, 31)}])
    picture("mug", "blue", "shop/images/mug.jpg")
    picture("lamp", "yellow", address)


def seen(corpus: Corpus) -> tuple[set[str], int, set[str]]:
    shown = {corpus.texts[photo.text_row] for photo in corpus.photos}
    return set(corpus.texts), len(corpus.pair_P2), shown


def test_what_precedes_the_boundary_is_what_encoders_see() -> None:
    small_shop()
    texts, pairs, shown = seen(lake_corpus(BOUNDARY, 100, 100))
    assert texts == {
        "Blue mug Holds tea", "Red cup Holds tea", "Lamp",
        "The Blue mug is lovely", "My Blue mug broke", "The Red cup is lovely", "My Red cup broke",
    }  # fmt: skip
    assert pairs == 4
    assert shown == {"Blue mug Holds tea", "Lamp"}
    assert len(lake_corpus(BOUNDARY, 3, 1).texts) == 3


def test_later_reviews_items_and_titles_change_nothing() -> None:
    small_shop()
    before = lake_corpus(BOUNDARY, 100, 100)
    late = {"user_id": "eve", "item_id": "mug", "rating": 5.0, "review_hash": "late"}
    at = datetime(2014, 4, 1, tzinfo=UTC)
    put(REVIEWS, [late | {"text": "Too late", "text_hash": sha256("\nToo late"), "reviewed_at": at}])
    edited = {"item_id": "lamp", "title": "Lamp, now brighter", "text_hash": sha256("x"), "landed_on": BOUNDARY}
    put(ITEMS, [edited, edited | {"item_id": "new", "title": "New thing", "text_hash": sha256("y")}])
    picture("new", "green", "shop/images/new.jpg")
    after = lake_corpus(BOUNDARY, 100, 100)
    assert after.identity(photos=True) == before.identity(photos=True)
    assert after.texts == before.texts
    assert "Too late" in lake_corpus(date(2014, 4, 2), 100, 100).texts


@pytest.fixture
def from_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small.toml").write_text('text_encoder = "scratch_small"\nimage_encoder = "scratch_small"\n')
    monkeypatch.setitem(sizes.SIZES, "small", lambda: TINY)


def test_nights_of_one_quarter_share_encoders_that_are_made_once(
    from_scratch: None, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_shop()
    cut(D, H)
    content(D, "mug", "text", sha256("Blue mug\nHolds tea"))
    content(D, "mug", "image", stored_jpeg("blue"))
    assert found(job.run(D, "text")) == (5, 0, 5)  # the mug's text, and the last reviews of ann and bob
    assert found(job.run(D, "image")) == (1, 0, 1)
    made = {path.name.rsplit("-", 1)[0] for path in (places / "encoders" / "2014-04-01").iterdir() if path.is_dir()}
    assert made == {"tiny-text", "tiny-image"}
    assert {encoder.split("@")[0].rsplit("-", 1)[0] for encoder, _ in embedded()} == made
    for name in ("train_text_encoder", "train_image_encoder"):
        monkeypatch.setattr(encoders, name, lambda *_: pytest.fail("a night of the same quarter trains nothing"))
    cut(LATER, D)
    content(LATER, "cup", "text", sha256("Red cup\nHolds tea"))
    assert job.run(LATER, "text").encoded == 1
    assert encoders.encoders_of_cut(load_settings(), D).text_encoder.startswith(str(places / "encoders" / "2014-04-01"))


def test_a_night_without_pictures_needs_no_image_encoder(from_scratch: None) -> None:
    item("mug", "Blue mug", "Holds tea")
    event("ann", "mug", 3, "Lovely")
    cut(D, H)
    content(D, "mug", "image", None, "missing")
    assert found(job.run(D, "image")) == (0, 0, 0)
