"""The photos of an exam's data set, taken in as a night takes in its own."""

from __future__ import annotations

from pathlib import Path

from recsys_jobs.contracts.settings import Settings, var_dir
from recsys_jobs.data.readers.raw import RawData
from recsys_jobs.images import store
from recsys_jobs.images.outcome import UNREACHABLE, NoImage
from recsys_jobs.images.validate import normalise

TAKEN_IN = "taken-in"  # part of the encoder's name: the vector of a file is that of the picture that stands for it


def exam_lake(raw: RawData) -> Path:
    """Where the vectors and pictures of a data set are kept: in its own lake, or in the one that all others share."""
    return raw.folder if raw.layout == "lake" else var_dir() / "exams" / "lake"


def take_in(photo: Path, raw: RawData, settings: Settings) -> Path:
    """Return the stored picture of a photo: upright, of 8 bits, on white. Raises NoImage.

    A lake's photos are stored pictures already.
    """
    if raw.layout == "lake":
        return photo
    try:
        picture = normalise(photo.read_bytes(), settings.image_side, settings.image_max_pixels)
    except OSError as error:
        raise NoImage(UNREACHABLE, str(error)) from None
    return store.path_of(exam_lake(raw), store.put(exam_lake(raw), picture.jpeg))
