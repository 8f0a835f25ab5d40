"""The sample's photos show what their items are."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from recsys_jobs.sample.photos import COLOUR_RGB, OUTLINES, SIDE, jpeg, render
from recsys_jobs.sample.world import COLOURS, KINDS, PATTERNS

# what a pixel of a photo may show: the eight colours, the ground, light and dark second tone, grey parts
PALETTE = {
    "red": (204, 36, 38),
    "orange": (240, 128, 20),
    "yellow": (245, 210, 40),
    "green": (40, 140, 60),
    "blue": (35, 85, 190),
    "purple": (120, 50, 150),
    "pink": (240, 130, 175),
    "black": (35, 35, 38),
    "ground": (234, 232, 228),
    "second tone": (60, 45, 20),
    "parts": (70, 64, 60),
}


def dominant(photo: Image.Image) -> str:
    """The palette colour, ground and grey parts aside, that most pixels are nearest to."""
    pixels = np.asarray(photo, dtype=np.float64).reshape(-1, 1, 3)
    nearest = ((pixels - np.array(list(PALETTE.values()))) ** 2).sum(axis=2).argmin(axis=1)
    return COLOURS[int(np.bincount(nearest, minlength=len(PALETTE))[: len(COLOURS)].argmax())]


def decoded(kind: str, colour: str, pattern: str, seed: int = 0) -> Image.Image:
    photo = Image.open(BytesIO(jpeg(render(kind, colour, pattern, np.random.default_rng(seed)))))
    photo.load()
    return photo


def test_every_kind_and_colour_can_be_drawn() -> None:
    assert set(OUTLINES) == set(KINDS)
    assert tuple(COLOUR_RGB) == COLOURS == tuple(PALETTE)[:8]


@pytest.mark.parametrize("kind", KINDS)
def test_the_photo_shows_the_colour_whatever_the_pattern(kind: str) -> None:
    for number, colour in enumerate(COLOURS):
        photo = decoded(kind, colour, PATTERNS[number % len(PATTERNS)], seed=number)
        assert (photo.format, photo.mode, photo.size) == ("JPEG", "RGB", (SIDE, SIDE))
        assert dominant(photo) == colour


@pytest.mark.parametrize(("index", "names"), [(0, KINDS), (2, PATTERNS)])
def test_kinds_and_patterns_look_different(index: int, names: tuple[str, ...]) -> None:
    """In the same pose and light, any two differ in a twentieth of the pixels at least."""
    looks = []
    for name in names:
        what = ["bag", "red", "plain"]
        what[index] = name
        looks.append(np.asarray(render(*what, np.random.default_rng(1)), dtype=np.int64))
    for one in range(len(looks)):
        for other in range(one):
            differing = (abs(looks[one] - looks[other]).sum(axis=2) > 90).mean()
            assert differing > 0.05, (names[one], names[other])


def test_the_same_numbers_draw_the_same_bytes() -> None:
    photos = [jpeg(render("kite", "pink", "starry", np.random.default_rng(seed))) for seed in (4, 4, 5)]
    assert photos[0] == photos[1] != photos[2]
