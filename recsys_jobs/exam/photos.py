"""The photos of an exam's data set, normalised and stored as a night's own."""

from __future__ import annotations

from pathlib import Path

from recsys_jobs.contracts.settings import Settings, var_dir
from recsys_jobs.data.readers.raw import RawData
from recsys_jobs.images import store
from recsys_jobs.images.outcome import UNREACHABLE, NoImage
from recsys_jobs.images.validate import normalise

TAKEN_IN = "taken-in"  # part of the encoder's name: the vector of a file is that of the picture that stands for it


def vectors_lake(raw: RawData) -> Path:
    """Return the lake that keeps a data set's vectors and pictures: its own, or the one that all others share."""
    return raw.folder if raw.layout == "lake" else shared_lake()


def shared_lake() -> Path:
    """Return the lake that all data sets of the exam share, lakes aside."""
    return var_dir() / "exams" / "lake"


def store_photo(photo: Path, raw: RawData, settings: Settings) -> Path:
    """Return the stored picture of a photo: upright, of 8 bits, on white. Raises NoImage.

    A lake's photos are stored pictures already.
    """
    if raw.layout == "lake":
        return photo
    try:
        picture = normalise(photo.read_bytes(), settings.image_side, settings.image_max_pixels)
    except OSError as error:
        raise NoImage(UNREACHABLE, str(error)) from None
    return store.path_of(vectors_lake(raw), store.put(vectors_lake(raw), picture.jpeg))
