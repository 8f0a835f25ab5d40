"""Encoders inside the main model: they learn from its loss, come back with it, and read what `embed` leaves raw."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.embed.from_scratch import sizes
from recsys_jobs.embed.from_scratch.encoders import encoders_of_corpus
from recsys_jobs.embed.image import encode_images, load_image_encoder
from recsys_jobs.embed.text import encode_texts, load_text_encoder
from recsys_jobs.models.sage_fm.end_to_end import EndToEndLearner, fit, load
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe, sage_fm_end_to_end_small
from recsys_jobs.ranking.model import Trained
from recsys_jobs.training.learner import event_split
from tests.unit.test_scratch import COLOURS, KINDS, TINY, corpus, item_text, photo
from tests.unit.worlds import dataset

pytestmark = pytest.mark.usefixtures("one_thread", "tiny")
RECIPE = replace(
    sage_fm_end_to_end_small(), width=8, graph_width=8, fm_rank=4, min_batch=32, steps_per_epoch=6, max_epochs=12,
    learning_rate=0.02, node_learning_rate=0.02, encoder_learning_rate=5e-3,
)  # fmt: skip
ITEMS, NEW = 48, 12


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sizes.SIZES, "small", lambda: TINY)
    monkeypatch.setenv("RECSYS_DEVICE", "cpu")


def raw_contents(place: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return 48 items' texts as token ids and photos as pixels, three kinds in turn, by the encoders themselves."""
    named = encoders_of_corpus(Settings(text_encoder="tokens_small", image_encoder="pixels_small"), corpus(), place)
    kinds = list(KINDS)
    titles = [item_text(kinds[item % 3], 2_000 + item) for item in range(ITEMS)]
    photos = [photo(COLOURS[kinds[item % 3]], 3_000 + item) for item in range(ITEMS)]
    return encode_texts(load_text_encoder(named), titles), encode_images(load_image_encoder(named), photos)


@cache
def shop(shown_by: str, place: Path) -> Dataset:
    """Return a world of three tastes whose last twelve items nobody had; what kind an item is shows in one modality."""
    random = np.random.default_rng(0)
    pairs = [
        (user, int(item))
        for user in range(60)
        for item in random.choice(np.arange(user % 3, ITEMS - NEW, 3), 5, replace=False)
    ]
    tokens_IL, pixels_IP = raw_contents(place)
    everywhere = np.ones(ITEMS, np.bool_)
    shown = {
        "text": {"text_IT": tokens_IL, "text_present_I": everywhere},
        "image": {"image_IV": pixels_IP, "image_present_I": everywhere, "text_IT": np.zeros_like(tokens_IL)},
    }[shown_by]
    return dataset(pairs, 60, ITEMS, review_RT=np.zeros((0, TINY.text_length), np.float32), **shown)


def new_items_told_apart(model: Trained) -> float:
    """Return how often a new item of a user's taste scores above a new one of another taste."""
    score_UN = model.score_block(torch.arange(60))[:, -NEW:]
    own_UN = torch.arange(60)[:, None] % 3 == torch.arange(NEW) % 3
    own = score_UN[own_UN].reshape(60, -1)
    other = score_UN[~own_UN].reshape(60, -1)
    return float((own[:, :, None] > other[:, None]).float().mean())


@pytest.mark.parametrize("shown_by", ["text", "image"])
def test_an_encoder_learns_what_a_new_item_shows(shown_by: str, tmp_path: Path) -> None:
    data = shop(shown_by, tmp_path)
    before = EndToEndLearner(data, RECIPE, event_split(data, 1), torch.device("cpu"))
    model = fit(data, RECIPE, seed=0, epochs=12)
    assert new_items_told_apart(before.fitted(0, [])) < 0.8
    assert new_items_told_apart(model) > 0.9
    assert model.history[-1]["loss"] < 0.8 * model.history[0]["loss"]


def test_both_encoders_are_trained_and_come_back(tmp_path: Path) -> None:
    data = replace(shop("text", tmp_path), image_IV=raw_contents(tmp_path)[1], image_present_I=np.ones(ITEMS, np.bool_))
    recipe = replace(RECIPE, max_epochs=1)
    one, two = (fit(data, replace(recipe, encoder_learning_rate=rate), seed=0, epochs=1) for rate in (1e-3, 0.0))
    changed = {name for name, value in one.weights().items() if not torch.equal(value, two.weights()[name])}
    assert any(name.startswith("encoders.model.words") for name in changed)
    assert any(name.startswith("encoders.model.looks") for name in changed)
    again = load(one.weights(), data, recipe)
    assert torch.equal(again.score_block(torch.arange(60)), one.score_block(torch.arange(60)))


def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    data = shop("image", tmp_path)
    whole = fit(data, RECIPE, seed=0, epochs=2)

    def killed(entry: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(data, RECIPE, seed=0, epochs=2, checkpoint=tmp_path / "state", on_epoch=killed)
    resumed = fit(data, RECIPE, seed=0, epochs=2, checkpoint=tmp_path / "state")
    assert all(torch.equal(value, whole.weights()[name]) for name, value in resumed.weights().items())


def test_what_embed_leaves_raw_is_the_tokens_and_the_pixels(tmp_path: Path) -> None:
    tokens_IL, pixels_IP = raw_contents(tmp_path)
    assert tokens_IL.shape == (ITEMS, TINY.text_length)
    assert (tokens_IL[:, 0] == 2).all()  # [CLS]
    assert (np.sort(np.unique(tokens_IL)) < TINY.vocabulary).all()
    assert pixels_IP.shape == (ITEMS, 3 * TINY.image_side**2)
    red, blue = (pixels_IP[item].reshape(3, -1).mean(1) for item in (0, 2))
    assert red.argmax() == 0
    assert blue.argmax() == 2


def test_encoded_contents_are_refused_by_name(tmp_path: Path) -> None:
    encoded = replace(
        shop("text", tmp_path), text_IT=np.zeros((ITEMS, 384), np.float32), review_RT=np.zeros((0, 384), np.float32)
    )
    recipe: SageFMRecipe = replace(RECIPE, end_to_end="full")
    with pytest.raises(JobError, match="set text_encoder to tokens and image_encoder to pixels"):
        fit(encoded, recipe, seed=0, epochs=1)


def test_pixels_are_no_text_encoder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="text_encoder is 'pixels', which is for images"):
        encoders_of_corpus(Settings(text_encoder="pixels"), corpus(), tmp_path)
