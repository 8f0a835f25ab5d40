"""Product photos: each kind's outline, cut out of a cloth in the item's colour and pattern.

Drawn with Pillow at twice the size and reduced, which smooths the edges. Coordinates of the parts
are per cent of the picture's side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 224  # pixels
_DRAWN = 2 * SIDE
_GREY = (70, 64, 60)  # legs, handles, hands of a clock

RGB = tuple[int, int, int]
Numbers = tuple[float, ...]

COLOUR_RGB: dict[str, RGB] = {
    "red": (204, 36, 38),
    "orange": (240, 128, 20),
    "yellow": (245, 210, 40),
    "green": (40, 140, 60),
    "blue": (35, 85, 190),
    "purple": (120, 50, 150),
    "pink": (240, 130, 175),
    "black": (35, 35, 38),
}


@dataclass(frozen=True)
class Part:
    """One stroke of a drawing: `shape` is a name of `_DRAW`, `at` its numbers in per cent of the side."""

    shape: str
    at: Numbers


def _part(shape: str, *at: float) -> Part:
    return Part(shape, at)


# what is made of the coloured cloth, and what stands before it in grey
OUTLINES: dict[str, tuple[tuple[Part, ...], tuple[Part, ...]]] = {
    "mug": ((_part("box", 22, 26, 66, 82), _part("arc", 54, 36, 88, 70, -100, 100, 7)), ()),
    "shirt": (
        (
            _part(
                *("polygon", 30, 18, 42, 18, 50, 26, 58, 18, 70, 18, 94, 36),
                *(84, 52, 73, 45, 73, 86, 27, 86, 27, 45, 16, 52, 6, 36),
            ),
        ),
        (),
    ),
    "lamp": (
        (_part("polygon", 36, 12, 64, 12, 82, 52, 18, 52),),
        (_part("box", 47, 52, 53, 82), _part("ellipse", 32, 78, 68, 90)),
    ),
    "bag": (
        (_part("polygon", 18, 40, 82, 40, 88, 90, 12, 90),),
        (_part("arc", 32, 12, 68, 66, 180, 360, 4),),
    ),
    "chair": (
        (_part("box", 28, 8, 72, 44), _part("polygon", 24, 52, 76, 52, 86, 66, 14, 66)),
        (
            *(_part("box", 31, 44, 35, 52), _part("box", 65, 44, 69, 52)),
            *(_part("box", 16, 66, 21, 94), _part("box", 79, 66, 84, 94)),
            *(_part("box", 30, 66, 34, 84), _part("box", 66, 66, 70, 84)),
        ),
    ),
    "cushion": ((_part("polygon", 10, 14, 50, 21, 90, 14, 82, 50, 90, 86, 50, 79, 10, 86, 18, 50),), ()),
    "hat": (
        (_part("pie", 24, 20, 76, 104, 180, 360), _part("ellipse", 6, 54, 94, 76)),
        (_part("box", 24, 51, 76, 57),),
    ),
    "clock": (
        (_part("ellipse", 10, 10, 90, 90),),
        (
            *(_part("box", 48, 22, 52, 52), _part("box", 48, 48, 72, 52), _part("ellipse", 45, 45, 55, 55)),
            _part("arc", 10, 10, 90, 90, 0, 360, 4),
        ),
    ),
    "vase": (
        (
            _part(
                *("polygon", 38, 8, 62, 8, 58, 26, 70, 38, 78, 54, 74, 74),
                *(62, 92, 38, 92, 26, 74, 22, 54, 30, 38, 42, 26),
            ),
        ),
        (),
    ),
    "boot": (
        (_part("polygon", 30, 8, 60, 8, 60, 52, 84, 62, 92, 82, 30, 82),),
        (_part("box", 28, 82, 94, 90),),
    ),
    "umbrella": (
        (_part("pie", 6, 12, 94, 98, 180, 360),),
        (_part("box", 48.5, 6, 51.5, 86), _part("arc", 36, 74, 51.5, 94, 0, 180, 3)),
    ),
    "kite": (
        (_part("polygon", 50, 6, 82, 40, 50, 80, 18, 40),),
        (
            *(_part("box", 49.4, 6, 50.6, 80), _part("box", 18, 39.4, 82, 40.6)),
            *(_part("arc", 36, 76, 54, 88, 270, 450, 2), _part("arc", 40, 86, 54, 98, 90, 270, 2)),
        ),
    ),
}

_DRAW: dict[str, Callable[[ImageDraw.ImageDraw, list[float]], None]] = {
    "polygon": lambda draw, at: draw.polygon(at, fill=255),
    "ellipse": lambda draw, at: draw.ellipse(at, fill=255),
    "box": lambda draw, at: draw.rounded_rectangle(at, radius=_DRAWN // 80, fill=255),
    "pie": lambda draw, at: draw.pieslice(at[:4], *_angles(at), fill=255),
    "arc": lambda draw, at: draw.arc(at[:4], *_angles(at), fill=255, width=round(at[6])),
}


def _angles(at: list[float]) -> tuple[float, float]:
    """Start and end in degrees: the two numbers that are no lengths."""
    return at[4] * 100 / _DRAWN, at[5] * 100 / _DRAWN


@cache
def _mask(kind: str, layer: int) -> Image.Image:
    """Where the kind's cloth (layer 0) or grey parts (layer 1) are, as an 8-bit picture."""
    mask = Image.new("L", (_DRAWN, _DRAWN))
    draw = ImageDraw.Draw(mask)
    for part in OUTLINES[kind][layer]:
        _DRAW[part.shape](draw, [number * _DRAWN / 100 for number in part.at])
    return mask


@cache
def _pattern(pattern: str) -> Image.Image:
    """Where the pattern's second tone is, as an 8-bit picture; a third of the area at most."""
    mask = Image.new("L", (_DRAWN, _DRAWN))
    draw = ImageDraw.Draw(mask)
    step = _DRAWN // 10
    if pattern == "plain":
        return mask
    for i in range(-1, 12):
        if pattern in ("striped", "checked"):
            draw.rectangle((i * step, 0, i * step + step * 0.3, _DRAWN), fill=255)
        if pattern == "checked":
            draw.rectangle((0, i * step, _DRAWN, i * step + step * 0.3), fill=255)
        if pattern == "zigzag":
            teeth = [(j * step / 2, i * step + (j % 2) * step * 0.6) for j in range(-1, 24)]
            draw.line(teeth, fill=255, width=step // 4)
        for j in range(-1, 12):
            x, y = (i + (j % 2) / 2) * step, j * step
            if pattern == "dotted":
                draw.ellipse((x - step * 0.27, y - step * 0.27, x + step * 0.27, y + step * 0.27), fill=255)
            if pattern == "starry":
                draw.polygon(_star(x, y, step * 0.42), fill=255)
    return mask


def _star(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """A star of five points."""
    turns = np.arange(10) * np.pi / 5 - np.pi / 2
    reach = radius * np.where(np.arange(10) % 2, 0.42, 1.0)
    return [(x + float(r * np.cos(t)), y + float(r * np.sin(t))) for t, r in zip(turns, reach, strict=True)]


def render(kind: str, colour: str, pattern: str, rng: np.random.Generator) -> Image.Image:
    """A photo, SIDE × SIDE RGB: light ground, soft shadow, the item a little turned and shifted."""
    angle = float(rng.uniform(-9, 9))
    right, down = rng.integers(-_DRAWN // 40, _DRAWN // 40 + 1, size=2).tolist()
    base = _shaded(COLOUR_RGB[colour], rng)
    accent = (60, 45, 20) if colour == "yellow" else (246, 244, 238)
    ground = _shaded((234, 232, 228), rng)

    def placed(mask: Image.Image) -> Image.Image:
        return mask.rotate(angle, Image.Resampling.BILINEAR, translate=(right, down))

    size = (_DRAWN, _DRAWN)
    cloth = Image.composite(Image.new("RGB", size, accent), Image.new("RGB", size, base), _pattern(pattern))
    body, grey = placed(_mask(kind, 0)), placed(_mask(kind, 1))
    photo = Image.new("RGB", size, ground)
    photo.paste((190, 187, 182), (_DRAWN // 50, _DRAWN // 50), body.reduce(8).filter(_BLUR).resize(size))
    photo.paste(cloth.rotate(angle), (0, 0), body)
    photo.paste(_GREY, (0, 0), grey)
    return photo.reduce(2)


_BLUR = ImageFilter.GaussianBlur(2)


def _shaded(rgb: RGB, rng: np.random.Generator) -> RGB:
    """The colour in a slightly different light."""
    red, green, blue = (int(np.clip(channel + rng.integers(-10, 11), 0, 255)) for channel in rgb)
    return red, green, blue


def jpeg(photo: Image.Image) -> bytes:
    """The photo as a JPEG file's bytes."""
    buffer = BytesIO()
    photo.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
