"""MovieLens-1M and 10M: `ratings.dat` has UserID::MovieID::Rating::Timestamp, `movies.dat` MovieID::Title::Genres."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recsys_jobs.contracts.parsing.plain_text import plain_text
from recsys_jobs.data.readers import files
from recsys_jobs.data.readers.raw import EventLog, Item, RawData, build_raw_data

_NO_GENRE = "(no genres listed)"
FILES = ("ratings.dat", "movies.dat")


def read(folder: Path) -> RawData:
    """Return the data set; JobError names the file and line of what is broken."""
    path = folder / FILES[0]
    frame = files.read_fields(path, ("user", "movie", "rating", "timestamp"), "::")
    log = EventLog(
        user=files.required_column(frame, path, "user"),
        item=files.required_column(frame, path, "movie"),
        time=files.time_column(frame, path, "timestamp"),
        rating=files.number_column(frame, path, "rating").astype(np.float32),
    )
    return build_raw_data(folder, "movielens", log, _catalogue(folder / FILES[1]))


def _catalogue(path: Path) -> dict[str, Item]:
    frame = files.read_fields(path, ("movie", "title", "genres"), "::")
    ids = files.required_column(frame, path, "movie")
    return {
        id_: _item(plain_text(title), [plain_text(genre) for genre in genres.split("|") if genre.strip() != _NO_GENRE])
        for id_, title, genres in zip(ids, frame["title"], frame["genres"], strict=True)
    }


def _item(title: str, genres: list[str]) -> Item:
    return Item(text=f"{title}\n{', '.join(genres)}", labels=tuple(genres))
