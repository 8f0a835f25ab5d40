"""From bytes that claim to be an image to a small JPEG that is one.

The picture is really decoded, so every later reader can decode what reaches the store. Equal
bytes give equal JPEGs on one version of Pillow; another version's codecs may differ in a bit.
"""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from recsys_jobs.images.outcome import CORRUPT, MISSING, TOO_LARGE, NoImage

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
QUALITY = 90
LARGE = 4_000_000  # pixels above which images are decoded one at a time

# What Pillow's decoders are known to raise on hostile bytes.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    EOFError,
    TypeError,
    RuntimeError,
    struct.error,
    zlib.error,
)

# One thread rather than one lock: the allocator keeps freed memory by thread, and sixteen would add up.
_large_image_worker = ThreadPoolExecutor(1, "large-image")


@dataclass(frozen=True)
class Picture:
    """A re-encoded image; width and height are those of the original, in pixels."""

    jpeg: bytes
    width: int
    height: int


def normalise(data: bytes, side: int, max_pixels: int) -> Picture:
    """Decode a JPEG, PNG, WebP or GIF (its first frame) and encode it anew.

    The result is RGB of 8 bits, upright (EXIF orientation applied), on white where it was transparent, shrunk
    to fit a square of `side` pixels, without metadata. Raises NoImage: corrupt, too_large, or missing
    for the 1 x 1 pixel that shops send in place of a picture.
    """
    width, height = _measure(data, max_pixels)
    if width * height > LARGE:
        return Picture(_large_image_worker.submit(_reencode, data, side).result(), width, height)
    return Picture(_reencode(data, side), width, height)


def _reencode(data: bytes, side: int) -> bytes:
    """Decode, shrink, encode."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            image.draft("RGB", (2 * side, 2 * side))  # a JPEG may be decoded at a half, quarter or eighth
            image.load()
            return _encode(_shrink(image, side))
    except DECODER_ERRORS as error:
        raise NoImage(CORRUPT, f"does not decode: {error}") from None


def _measure(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Width and height from the header, before a single pixel is decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise NoImage(TOO_LARGE, f"{width} x {height} pixels")
            image.verify()
    except UnidentifiedImageError:
        raise NoImage(CORRUPT, f"no JPEG, PNG, WebP or GIF: {len(data)} bytes that begin {data[:16]!r}") from None
    except Image.DecompressionBombError as error:
        raise NoImage(TOO_LARGE, str(error)) from None
    except DECODER_ERRORS as error:
        raise NoImage(CORRUPT, f"does not verify: {error}") from None
    if max(width, height) < 2:
        raise NoImage(MISSING, "a placeholder of 1 x 1 pixel")
    return width, height


def _shrink(image: Image.Image, side: int) -> Image.Image:
    """Fit into the square, then turn upright; only the pixels are kept, on white."""
    image = _to_eight_bits(image)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    image = image if image.mode == mode else image.convert(mode)
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    with contextlib.suppress(*DECODER_ERRORS):  # nonsense in EXIF is common and says nothing about the picture
        image = ImageOps.exif_transpose(image)
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(image, mask=image if image.mode == "RGBA" else None)
    return canvas


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """A grey picture of 16 bits a pixel in 8: Pillow would make white of all that is above 255."""
    if not image.mode.startswith("I"):
        return image
    level_HW = np.asarray(image).clip(0, 65_535)
    grey = Image.fromarray((level_HW >> 8).astype(np.uint8))
    if (transparent_level := image.info.get("transparency")) is not None:
        grey.putalpha(Image.fromarray(np.where(level_HW == transparent_level, 0, 255).astype(np.uint8)))
    grey.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return grey


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, subsampling="4:2:0", optimize=False, progressive=False)
    return buffer.getvalue()
