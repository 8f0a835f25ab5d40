"""`item_info.csv`, `interactions.csv` and `images/{item_id}.jpg` (.png, .webp, .gif): the layout of seed 1.

Items have `item_id`, maybe `title`, `description`, labels (`category`, `genres`, `brand`, several of them
divided by `|`), and any columns of numbers, or the ones that the setting `numeric_columns` names;
interactions `user_id`, `item_id`, maybe `rating`, `timestamp`, `location`. I items, N columns of numbers.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.parsing.plain_text import plain_text
from recsys_jobs.data.readers import files
from recsys_jobs.data.readers.raw import EventLog, Item, RawData, build_raw_data
from recsys_jobs.images.local import SUFFIXES

FILES = ("item_info.csv", "interactions.csv")
_TEXTS = ("title", "description")
_ROW_NUMBER = "Unnamed: 0"  # an index that pandas wrote and read again: it says nothing about an item
_LABELS = ("category", "categories", "genre", "genres", "brand")

log = logging.getLogger(__name__)


def read(folder: Path, numeric: tuple[str, ...] = ()) -> RawData:
    """Return the data set; JobError names the file and line of what is broken, also in the columns `numeric`.

    Numbers are read as they stand: a model centres them by the items that its training met
    (models/layers/numeric_features.py).
    """
    path = folder / FILES[1]
    frame = files.read_columns(path, ("user_id", "item_id"))
    events = EventLog(
        user=files.required_column(frame, path, "user_id"),
        item=files.required_column(frame, path, "item_id"),
        location=frame["location"].tolist() if "location" in frame.columns else (),
        **files.ratings_and_times(frame, path),
    )
    catalogue, numbers = _catalogue(folder, numeric)
    return build_raw_data(folder, "csv_folder", events, catalogue, numbers)


def _catalogue(folder: Path, numeric: tuple[str, ...]) -> tuple[dict[str, Item], tuple[str, ...]]:
    path = folder / FILES[0]
    frame = files.read_columns(path, ("item_id",))
    ids = files.required_column(frame, path, "item_id")
    if twice := next((id_ for id_, again in zip(ids, pd.Series(ids).duplicated(), strict=True) if again), None):
        raise JobError(f"{path}: item {twice} stands there twice")
    known = ("item_id", *_TEXTS, *_LABELS, _ROW_NUMBER)
    others = [name for name in frame.columns if name not in known]
    if numeric:
        names = _configured_columns(frame, path, numeric)
    else:
        names = tuple(name for name in others if _numeric(frame[name]))
    if unused := [name for name in others if name not in names]:
        log.info(
            "%s: not used, for they are neither numbers that are wanted nor known names: %s", path, ", ".join(unused)
        )
    number_IN = np.stack([files.number_column(frame, path, name) for name in names], axis=1) if names else None
    photos = _photos(folder / "images", ids)
    items = {
        id_: Item(
            text=_text(row),
            labels=_labels(row),
            image=photos.get(id_),
            numbers=() if number_IN is None else tuple(number_IN[position]),
        )
        for position, (id_, row) in enumerate(zip(ids, frame.to_dict("records"), strict=True))
    }
    return items, names


def _text(row: Mapping[Hashable, str]) -> str:
    """Title, newline, description, as the pipeline joins them; empty where both are blank."""
    title, description = plain_text(row.get("title", "")), row.get("description", "").strip()
    return f"{title}\n{description}" if title or description else ""


def _labels(row: Mapping[Hashable, str]) -> tuple[str, ...]:
    parts = (part for name in _LABELS for part in row.get(name, "").split("|"))
    return tuple(label for part in parts if (label := plain_text(part)))


def _numeric(values: pd.Series) -> bool:
    filled = values[values.str.strip() != ""]
    return len(filled) > 0 and bool(np.isfinite(pd.to_numeric(filled, errors="coerce")).all())


def _configured_columns(frame: pd.DataFrame, path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns that the configuration names; JobError for an absent one, or one that tells nothing."""
    for name in names:
        if name not in frame.columns:
            header = ", ".join(frame.columns)
            raise JobError(f"{path}: no column {name}, which numeric_columns names: its header is {header}")
        number_I = files.number_column(frame, path, name)
        known = number_I[~np.isnan(number_I)]
        if not len(known):
            raise JobError(
                f"{path}, lines 2 to {frame.index[-1]}: column {name} is blank in all: leave it out of numeric_columns"
            )
        if len(known) > 1 and known.min() == known.max():
            raise JobError(
                f"{path}, lines 2 to {frame.index[-1]}: column {name} is {known[0]:g} in all, which tells nothing: "
                "leave it out of numeric_columns"
            )
    return names


def _photos(folder: Path, ids: list[str]) -> dict[str, Path]:
    """The photo of each item, by the file's name without its ending; JobError where no name is an item's id."""
    if not folder.is_dir():
        return {}
    paths = sorted(folder / name for name in os.listdir(folder))  # noqa: PTH208 - names alone, of many files
    photos = {path.stem: path for path in paths if path.suffix.lower() in SUFFIXES}
    if others := [path.name for path in paths if path.suffix.lower() not in SUFFIXES]:
        log.warning("%s: no photos by their endings, left alone: %s", folder, ", ".join(others[:3]))
    if photos and ids and not photos.keys() & set(ids):
        name = next(iter(photos.values())).name
        raise JobError(f"{folder}: no photo is called by an item's id: {name} there, {ids[0]} in {FILES[0]}")
    return photos
