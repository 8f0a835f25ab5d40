"""From bytes to a small JPEG."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recsys_jobs.images.outcome import NoImage
from recsys_jobs.images.validate import normalise

SIDE, PIXELS = 64, 10_000_000


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def photo(width: int = 200, height: int = 100) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few dozen bytes whose header claims width x height pixels."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 1000)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def small(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(normalise(data, SIDE, PIXELS).jpeg))
    image.load()
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


def state_of(data: bytes, max_pixels: int = PIXELS) -> str:
    with pytest.raises(NoImage) as caught:
        normalise(data, SIDE, max_pixels)
    return caught.value.state


def is_near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) < 30


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_every_format_becomes_a_small_jpeg_with_the_same_picture(kind: str) -> None:
    image = small(encoded(photo(), kind))
    assert image.size == (64, 32)
    assert is_near(image.getpixel((5, 16)), (255, 0, 0))
    assert is_near(image.getpixel((58, 16)), (0, 0, 255))


def test_width_and_height_are_those_that_landed() -> None:
    picture = normalise(encoded(photo(200, 100), "JPEG"), SIDE, PIXELS)
    assert (picture.width, picture.height) == (200, 100)


def test_a_small_image_is_not_enlarged() -> None:
    assert small(encoded(photo(20, 10), "PNG")).size == (20, 10)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_is_applied(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    image = small(encoded(photo(), kind, exif=exif))
    assert image.size == (32, 64)
    assert is_near(image.getpixel((16, 5)), (255, 0, 0))
    assert is_near(image.getpixel((16, 58)), (0, 0, 255))


def test_nonsense_in_exif_does_not_cost_the_picture() -> None:
    assert small(encoded(photo(), "JPEG", exif=b"Exif\0\0nonsense")).size == (64, 32)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_was_transparent_becomes_white(kind: str, mode: str) -> None:
    clear = (0, 0) if mode == "LA" else (255, 0, 0, 0)
    image = small(encoded(Image.new(mode, (50, 50), clear), kind))
    assert is_near(image.getpixel((25, 25)), (255, 255, 255))


@pytest.mark.parametrize(("mode", "kind"), [("P", "PNG"), ("P", "GIF"), ("L", "PNG"), ("I;16", "PNG")])
def test_a_colour_that_stands_for_nothing_becomes_white(mode: str, kind: str) -> None:
    image = Image.new(mode, (50, 50), 7)
    if mode == "P":
        image.putpalette(bytes(3 * 256))
    assert is_near(small(encoded(image, kind, transparency=7)).getpixel((25, 25)), (255, 255, 255))


@given(st.integers(0, 255))
def test_grey_of_16_bits_looks_like_its_8_bits(level: int) -> None:
    deep = small(encoded(Image.new("I;16", (16, 16), level * 257), "PNG"))
    flat = small(encoded(Image.new("L", (16, 16), level), "PNG"))
    assert deep.tobytes() == flat.tobytes()


def test_a_turned_picture_of_16_bits_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    ramp = Image.fromarray(np.tile(np.arange(64, dtype=np.uint16) * 1000, (32, 1)))
    image = small(encoded(ramp, "PNG", exif=exif))
    assert image.size == (32, 64)
    assert is_near(image.getpixel((16, 60)), (60_000 >> 8,) * 3)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "I;16", "1"])
def test_other_colour_modes_are_read(mode: str) -> None:
    image = Image.new(mode, (50, 50))
    assert small(encoded(image, "JPEG" if mode == "CMYK" else "PNG")).size == (50, 50)


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    image = small(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert is_near(image.getpixel((20, 20)), (255, 0, 0))


def test_equal_pixels_give_equal_bytes_whatever_the_metadata() -> None:
    plain = encoded(photo(), "JPEG", quality=80)
    talkative = encoded(photo(), "JPEG", quality=80, comment=b"taken in Paris", dpi=(300, 300))
    assert plain != talkative
    assert normalise(plain, SIDE, PIXELS).jpeg == normalise(talkative, SIDE, PIXELS).jpeg
    assert b"Paris" not in normalise(talkative, SIDE, PIXELS).jpeg


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    assert len(bomb(50_000, 50_000)) < 100
    assert state_of(bomb(50_000, 50_000)) == "too_large"
    assert state_of(bomb(4_000, 4_000)) == "too_large"  # above our bound, far below Pillow's


def test_a_large_image_is_treated_like_any_other() -> None:
    data = encoded(photo(2_500, 2_000), "PNG")
    assert small(data).size == (64, 51)
    assert state_of(data[:-100]) == "corrupt"


def test_the_bound_on_pixels_is_exact() -> None:
    data = encoded(photo(100, 100), "PNG")
    assert normalise(data, SIDE, 10_000).width == 100
    assert state_of(data, max_pixels=9_999) == "too_large"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_file_that_ends_early_is_corrupt(kind: str) -> None:
    noisy = Image.effect_noise((200, 200), 80).convert("RGB")
    data = encoded(noisy, kind)
    assert state_of(data[: len(data) // 2]) == "corrupt"


@pytest.mark.parametrize("data", [b"", b"<!doctype html><h1>Robot check</h1>", b"\xff\xd8\xff", bomb(100, 100)])
def test_what_is_no_image_is_corrupt(data: bytes) -> None:
    assert state_of(data) == "corrupt"


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "ICO", "PPM"])
def test_other_formats_are_not_read(kind: str) -> None:
    assert state_of(encoded(photo(), kind)) == "corrupt"


def test_a_shop_s_placeholder_of_one_pixel_is_no_picture() -> None:
    assert state_of(encoded(Image.new("L", (1, 1)), "GIF")) == "missing"


GOOD = [encoded(photo(30, 20), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF")]


@given(st.sampled_from(GOOD), st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=8))
def test_damaged_bytes_end_in_an_image_or_in_a_state(data: bytes, damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for place, value in damage:
        damaged[place % len(damaged)] = value
    try:
        assert normalise(bytes(damaged), SIDE, PIXELS).jpeg.startswith(b"\xff\xd8")
    except NoImage as none:
        assert none.state in {"corrupt", "too_large", "missing"}
