"""Encoders from scratch: what they may see, that they learn and repeat themselves, that `embed` reads them."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from dataclasses import replace
from datetime import date
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import ROOT, Settings
from recsys_jobs.embed.from_scratch import sizes
from recsys_jobs.embed.from_scratch.boundary import latest_boundary
from recsys_jobs.embed.from_scratch.corpus import Corpus, make_corpus
from recsys_jobs.embed.from_scratch.encoders import encoders_of_corpus
from recsys_jobs.embed.from_scratch.photos import train_image_encoder
from recsys_jobs.embed.from_scratch.text import mask_words, train_text_encoder
from recsys_jobs.embed.from_scratch.training_loop import Schedule
from recsys_jobs.embed.from_scratch.wordpiece import train_tokenizer
from recsys_jobs.embed.image import encode_images, load_image_encoder
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.embed.text import encode_texts, load_text_encoder

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
TINY = replace(
    sizes.small(), name="tiny", vocabulary=200, text_width=32, text_heads=2, text_feed=64, text_length=16,
    image_start=8, image_widths=(16, 16, 32, 32), image_side=32, text_passes=12, image_passes=12, batch=16,
    text_rate=3e-3, image_rate=3e-3, shared_width=16,
)  # fmt: skip
KINDS = {
    "drum": ("drum beat stick loud band", "hits hard and booms"),
    "lamp": ("lamp bulb light shade desk", "shines warm at night"),
    "soap": ("soap foam bath scent skin", "smells fresh and cleans"),
}
COLOURS = {"drum": (200, 40, 40), "lamp": (230, 220, 60), "soap": (40, 90, 200)}


def photo(colour: tuple[int, int, int], seed: int) -> bytes:
    random = np.random.default_rng(seed)
    pixels = np.clip(np.array(colour) + random.normal(0, 25, (24, 24, 3)), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def item_text(kind: str, number: int) -> str:
    return " ".join(np.random.default_rng(number).permutation(KINDS[kind][0].split())[:4]) + f" {number % 7}"


@cache
def corpus() -> Corpus:
    """Forty items of each of three kinds, with a review that shares no word with any title, and a photo."""
    raw, pairs, photos = {}, [], []
    for place, kind in enumerate(KINDS):
        for number in range(40):
            seed = 100 * place + number
            title, review = item_text(kind, seed), f"{KINDS[kind][1]} {seed}"
            names = [hashlib.sha256(text.encode()).hexdigest() for text in (title, review)]
            raw |= dict(zip(names, (title, review), strict=True))
            pairs.append((names[0], names[1]))
            photos.append((f"photo{seed}", partial(photo, COLOURS[kind], seed), names[0]))
    return make_corpus(raw, pairs, photos)


Curve = list[dict[str, float]]


@cache
def words() -> tuple[Path, Curve]:
    curve: Curve = []
    folder = Path(mkdtemp()) / "text"
    train_text_encoder(corpus(), TINY, folder, 0, CPU, curve.append)
    return folder, curve


@cache
def looks() -> tuple[Path, Curve]:
    curve: Curve = []
    folder = Path(mkdtemp()) / "image"
    folder.mkdir()
    train_image_encoder(corpus(), TINY, words()[0], folder, 0, CPU, curve.append)
    return folder, curve


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_DEVICE", "cpu")


def nearest_is_of_its_kind(vectors_ND: np.ndarray, kinds: list[str]) -> float:
    """Return how often the nearest other vector, by cosine about the mean, is of the same kind."""
    centred = vectors_ND - vectors_ND.mean(0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    near = unit @ unit.T - 2 * np.eye(len(unit))
    return float(np.mean([kinds[place] == kinds[row] for row, place in enumerate(near.argmax(1))]))


# --- the calendar ---


def test_boundaries_by_hand() -> None:
    assert latest_boundary(date(2014, 3, 1), 3) == date(2014, 1, 1)
    assert latest_boundary(date(2014, 4, 1), 3) == date(2014, 4, 1)
    assert latest_boundary(date(2014, 12, 31), 3) == date(2014, 10, 1)
    assert latest_boundary(date(2014, 12, 31), 12) == date(2014, 1, 1)
    with pytest.raises(UsageError, match="encoder_months is 5"):
        latest_boundary(date(2014, 3, 1), 5)


# --- the tokenizer ---


def test_the_tokenizer_is_the_same_in_every_process(tmp_path: Path) -> None:
    """The library's own WordPiece trainer is not: it follows a hash table that each process seeds anew."""
    program = """
import random, sys
from pathlib import Path
from recsys_jobs.embed.from_scratch.wordpiece import train_tokenizer
chance = random.Random(0)
words = ["".join(chance.choices("abcdefghij", k=chance.randint(2, 9))) for _ in range(300)]
train_tokenizer([" ".join(chance.choices(words, k=12)) for _ in range(300)], 300, 16, Path(sys.argv[1]))
"""
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-c", program, str(tmp_path / name)], cwd=ROOT, check=True, timeout=120)
    one, two = ((tmp_path / name / "tokenizer.json").read_bytes() for name in ("one", "two"))
    assert one == two


def test_words_of_the_corpus_are_pieces_and_new_words_fall_apart(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    train_tokenizer(["warm warm lamp lamps", "warmest lamp"] * 20, 60, 16, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.convert_ids_to_tokens(tokenizer("Warm lamp")["input_ids"]) == ["[CLS]", "warm", "lamp", "[SEP]"]
    pieces = tokenizer.tokenize("lampwarm")
    assert pieces[0] == "lamp"
    assert "".join(piece.removeprefix("##") for piece in pieces) == "lampwarm"
    assert tokenizer.tokenize("quiz") == ["[UNK]"]  # no letter of it was ever seen


# --- masked words ---


def test_what_is_to_be_guessed_is_hidden_mostly_and_the_rest_is_left_alone() -> None:
    random = np.random.default_rng(0)
    token_BL = torch.from_numpy(random.integers(5, 50, (200, 12)))
    token_BL[:, 0], token_BL[:, -1] = 2, 0
    masked_BL, wanted_BL = mask_words(token_BL, 0.15, 50, random)
    chosen_BL = wanted_BL >= 0
    assert 0.13 < chosen_BL[:, 1:-1].float().mean() < 0.17
    assert not chosen_BL[:, [0, -1]].any()
    assert torch.equal(masked_BL[~chosen_BL], token_BL[~chosen_BL])
    assert torch.equal(wanted_BL[chosen_BL], token_BL[chosen_BL])
    assert 0.75 < (masked_BL[chosen_BL] == 4).float().mean() < 0.85
    lone_BL, wanted_BL = mask_words(torch.tensor([[2, 9, 3]]), 0.0, 50, random)
    assert (wanted_BL >= 0).tolist() == [[False, True, False]]  # a step always has something to guess


def test_rates_rise_and_fall_evenly() -> None:
    steps = Schedule(passes=2, per_pass=5, rate=1.0, weight_decay=0.0, warmup=0.2)
    factors = [round(steps.factor(step), 3) for step in range(10)]
    assert factors == [0.5, 1.0, 0.889, 0.778, 0.667, 0.556, 0.444, 0.333, 0.222, 0.111]


# --- they learn ---


def test_both_losses_of_the_text_encoder_fall() -> None:
    curve = words()[1]
    for name in ("words", "pairs"):
        first, last = (np.mean([step[name] for step in part]) for part in (curve[:10], curve[-10:]))
        assert last < 0.7 * first


def reviews_found(folder: Path) -> float:
    """Return how often the review nearest to a new title, with which it shares no word, is of the title's kind."""
    kinds = [kind for kind in KINDS for _ in range(10)]
    titles = [item_text(kind, 900 + place) for place, kind in enumerate(kinds)]
    reviews = [f"{KINDS[kind][1]} {500 + place}" for place, kind in enumerate(kinds)]
    encoder = load_text_encoder(Settings(text_encoder=str(folder)))
    sides = [encode_texts(encoder, texts) for texts in (titles, reviews)]
    one, other = (side - side.mean(0) for side in sides)
    near = (one @ (other / np.linalg.norm(other, axis=1, keepdims=True)).T).argmax(1)
    return float(np.mean([kinds[place] == kinds[row] for row, place in enumerate(near)]))


def test_titles_come_near_the_reviews_of_their_kind_and_at_random_they_do_not(tmp_path: Path) -> None:
    train_text_encoder(corpus(), replace(TINY, text_passes=0), tmp_path, 0, CPU)
    assert reviews_found(words()[0]) > 0.9
    assert reviews_found(tmp_path) < 0.6


def test_photos_are_to_find_their_own_text() -> None:
    curve = [step["contrast"] for step in looks()[1]]
    assert np.mean(curve[-5:]) < 0.75 * np.mean(curve[:5])


def test_photos_of_one_kind_come_near_each_other() -> None:
    kinds = [kind for kind in KINDS for _ in range(8)]
    new = [photo(COLOURS[kind], 7_000 + place) for place, kind in enumerate(kinds)]
    vectors = encode_images(load_image_encoder(Settings(image_encoder=str(looks()[0]))), new)
    assert vectors.shape == (24, 32)
    assert nearest_is_of_its_kind(vectors, kinds) > 0.9


# --- they are themselves ---


def test_the_same_corpus_gives_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    brief = replace(TINY, text_passes=1, image_passes=1)
    for name in ("one", "two"):
        torch.manual_seed(int(name == "two"))
        train_text_encoder(corpus(), brief, tmp_path / name / "text", 3, CPU)
        (tmp_path / name / "image").mkdir()
        train_image_encoder(corpus(), brief, tmp_path / "one" / "text", tmp_path / name / "image", 3, CPU)
    for kind in ("text", "image"):
        one, two = (load_file(tmp_path / name / kind / "model.safetensors") for name in ("one", "two"))
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_full_size_is_the_seeds_distilbert_and_resnet_50() -> None:
    """Built without memory for the weights: what counts is their shapes."""
    from recsys_jobs.embed.from_scratch.photos import PhotoTraining
    from recsys_jobs.embed.from_scratch.text import TextTraining

    with torch.device("meta"):
        text = TextTraining(sizes.full(), 30_522).language_model.distilbert
        image = PhotoTraining(sizes.full(), 768).resnet
    millions = [sum(p.numel() for p in model.parameters()) / 1e6 for model in (text, image)]
    assert (round(millions[0]), round(millions[1], 1)) == (66, 23.5)  # less 384 places, as published
    assert text.config.dim == 768
    assert image.config.hidden_sizes[-1] == 2_048


# --- they are found again ---


@pytest.fixture
def tiny_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sizes.SIZES, "small", lambda: replace(TINY, text_passes=1, image_passes=1))


SCRATCH = Settings(text_encoder="scratch_small", image_encoder="scratch_small")


def test_an_encoder_is_made_once_and_named_by_its_folder(tiny_sizes: None, tmp_path: Path) -> None:
    first = encoders_of_corpus(SCRATCH, corpus(), tmp_path)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/model.safetensors")}
    assert len(made) == 2
    assert encoders_of_corpus(SCRATCH, corpus(), tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/model.safetensors")} == made
    assert "tiny-text-" in encoder_name(first, "text")
    assert "tiny-image-" in encoder_name(first, "image")
    fewer = replace(corpus(), photos=corpus().photos[:-1])
    other = encoders_of_corpus(SCRATCH, fewer, tmp_path)
    assert (other.text_encoder == first.text_encoder, other.image_encoder == first.image_encoder) == (True, False)


def test_without_photos_there_is_no_image_encoder_and_it_says_so(tiny_sizes: None, tmp_path: Path) -> None:
    named = encoders_of_corpus(SCRATCH, replace(corpus(), photos=[]), tmp_path)
    assert named.image_encoder == "scratch_small"
    with pytest.raises(JobError, match="'scratch_small' was not made: no image precedes its boundary"):
        encoder_name(named, "image")


def test_without_texts_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="needs texts: 0 precede"):
        encoders_of_corpus(SCRATCH, make_corpus({}, [], []), tmp_path)
