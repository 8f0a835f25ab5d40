"""Reads a data set of any layout; the names of a folder's files say which it has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.readers import csv_folder, lake_cut, movielens, sequences, split_file
from recsys_jobs.data.readers.raw import RawData

_LAKE = "interactions/_delta_log"
_LAYOUTS: dict[tuple[str, ...], Callable[[Path], RawData]] = {
    split_file.FILES: split_file.read,
    sequences.FILES: sequences.read,
    csv_folder.FILES: csv_folder.read,
    movielens.FILES: movielens.read,
}


def read_data_set(folder: Path, run_date: date | None, settings: Settings) -> RawData:
    """Return the data set in a folder; UsageError where its layout is none that is known."""
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}: name a data set's folder, or a lake's")
    if is_lake(folder):
        return lake_cut.read(folder, run_date, settings)
    for files, reader in _LAYOUTS.items():
        if all((folder / name).is_file() for name in files):
            return csv_folder.read(folder, settings.numeric_columns) if reader is csv_folder.read else reader(folder)
    known = "; ".join(" + ".join(files) for files in _LAYOUTS)
    raise UsageError(f"{folder} is no data set that is known here; looked for {known}; or a lake ({_LAKE})")


def is_lake(folder: Path) -> bool:
    """Whether the folder holds a lake's tables."""
    return (folder / _LAKE).is_dir()
