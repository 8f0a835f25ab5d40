"""A slate as a picture: the photos of what someone had, above those of what the night shows them."""

from __future__ import annotations

import textwrap
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
from PIL import Image, ImageDraw, ImageFont, ImageOps

from recsys_jobs.contracts.errors import sanitize
from recsys_jobs.contracts.settings import lake_root
from recsys_jobs.images.store import path_of

_CELL, _PHOTO, _MARGIN, _HEAD = 168, 140, 14, 30  # pixels
_STRIP = _HEAD + _CELL + 50  # a heading, photos and their captions
_INK, _PAPER, _BLANK = "#222222", "#ffffff", "#eeeeee"

_PHOTOS = """
    SELECT item_id, content_hash FROM contents
    WHERE as_of = $date AND modality = 'image' AND content_hash IS NOT NULL
"""


def draw(connection: duckdb.DuckDBPyConnection, day: date, rows: dict[str, list[tuple[str, str]]], path: Path) -> None:
    """Write a PNG with one strip for each heading of `rows`, which holds (item id, caption) pairs."""
    photos = dict(connection.execute(_PHOTOS, {"date": day}).fetchall())
    most_cells = max(len(cells) for cells in rows.values())
    width = _MARGIN * 2 + _CELL * most_cells
    height = _STRIP * len(rows) + _MARGIN
    sheet = Image.new("RGB", (width, height), _PAPER)
    for number, (heading, cells) in enumerate(rows.items()):
        _draw_strip(sheet, _STRIP * number, heading, cells, photos)
    sheet.save(path)


def _draw_strip(
    sheet: Image.Image, top: int, heading: str, cells: list[tuple[str, str]], photos: dict[str, Any]
) -> None:
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, top + 8), sanitize(heading), fill=_INK, font=_font(15))
    for place, (item, caption) in enumerate(cells):
        left = _MARGIN + place * _CELL
        sheet.paste(_photo(photos.get(item)), (left, top + _HEAD + 6))
        lines = textwrap.wrap(sanitize(caption), 24)[:3]
        pen.text((left, top + _HEAD + _PHOTO + 10), "\n".join(lines), fill=_INK, font=_font(10))


def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return a face with accents, which Pillow's own lacks; matplotlib brings one along."""
    folder = resources.files("matplotlib") / "mpl-data" / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / "DejaVuSans.ttf"), size)


def _photo(content_hash: str | None) -> Image.Image:
    """Return the stored photo, padded to a square; a grey square where there is none."""
    if content_hash is None:
        return Image.new("RGB", (_PHOTO, _PHOTO), _BLANK)
    with Image.open(path_of(lake_root(), content_hash)) as photo:
        return ImageOps.pad(photo.convert("RGB"), (_PHOTO, _PHOTO), color=_PAPER)
