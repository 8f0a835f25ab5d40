"""MovieLens-1M, latin-1: `ratings.dat` has UserID::MovieID::Rating::Timestamp, `movies.dat` MovieID::Title::Genres."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recsys_jobs.exam_data import files
from recsys_jobs.exam_data.raw import Item, Log, RawData, assemble

FILES = ("ratings.dat", "movies.dat")
_ENCODING = "latin-1"


def read(folder: Path) -> RawData:
    """Return the data set; JobError names the file and line of what is broken."""
    path = folder / FILES[0]
    frame = files.fields(path, ("user", "movie", "rating", "timestamp"), "::", _ENCODING)
    log = Log(
        user=files.required(frame, path, "user"),
        item=files.required(frame, path, "movie"),
        time=files.seconds(frame, path, "timestamp"),
        rating=files.numbers(frame, path, "rating").astype(np.float32),
    )
    return assemble(folder, "movielens", log, _catalogue(folder / FILES[1]))


def _catalogue(path: Path) -> dict[str, Item]:
    frame = files.fields(path, ("movie", "title", "genres"), "::", _ENCODING)
    ids = files.required(frame, path, "movie")
    return {
        id_: Item(text=f"{title.strip()}\n{genres.strip().replace('|', ', ')}", labels=tuple(genres.strip().split("|")))
        for id_, title, genres in zip(ids, frame["title"], frame["genres"], strict=True)
    }
