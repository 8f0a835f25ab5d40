"""Writes the world into a landing zone: dated folders of gzipped JSON lines, and photos.

    <out>/sample_shop/date=YYYY-MM-DD/{reviews,items}/seed<S>_users<N>.jsonl.gz
    <out>/sample_shop/images/<item_id>.jpg

A folder's bytes depend on seed and size alone, so a later call with a later date adds the folders
that are missing and leaves the others as they are. Every file is written aside and renamed, the
reviews last. Memory is bounded by one block of people, whatever their number.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from tqdm import tqdm

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.sample import photos
from recsys_jobs.sample.dates import FIRST_FOLDER, LAST_DAY, date_of, day_of, folder_day, folder_days
from recsys_jobs.sample.events import IS_AGAIN, IS_DUPLICATE, IS_RETOLD, Events, events, folder_E
from recsys_jobs.sample.records import Record, item_id, item_record, review_records
from recsys_jobs.sample.text import item_words
from recsys_jobs.sample.world import BLOCK, Catalogue, catalogue, people, stream

DATASET = "sample_shop"
LINES_PER_BROKEN_LINE = 80  # after so many lines stands a broken one: 1.2 % at most, in any file
ROLE_NAMES = {IS_DUPLICATE: "exact duplicates", IS_RETOLD: "retold reviews", IS_AGAIN: "repeated pairs"}

_PHOTOS = 3  # the photos' stream of random numbers
_to_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Summary:
    """What one call wrote."""

    people: int
    items: int  # item versions
    reviews: int  # lines, oddities and broken ones included
    photos: int
    folders: int
    planted: dict[str, int]  # oddities by name

    def __str__(self) -> str:
        planted = ", ".join(f"{count:,} {name}" for name, count in sorted(self.planted.items()))
        return (
            f"{DATASET}: {self.folders:,} folders, {self.people:,} people, {self.items:,} item versions, "
            f"{self.reviews:,} review lines, {self.photos:,} photos; planted: {planted or 'nothing'}"
        )


class LineFile:
    """A gzip of JSON lines that breaks one line in so many, and appears under its name when published.

    Without a line there is no file and no folder.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lines, self.broken = path, 0, 0
        self._temporary = path.with_name(f".{path.name}.tmp")
        self._open: list[BinaryIO] = []  # the gzip, and the file it writes to

    def add(self, record: Record) -> None:
        """Write the record, and sometimes a damaged copy after it."""
        self._write(_to_json(record))
        if (self.lines - self.broken) % LINES_PER_BROKEN_LINE == 0:
            self._write(damaged(record, self.broken))
            self.broken += 1

    def _write(self, line: str) -> None:
        if not self._open:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            raw = self._temporary.open("wb")
            # neither time nor name in the header: equal content is equal bytes
            gzip_file = gzip.GzipFile(filename="", mode="wb", compresslevel=4, fileobj=raw, mtime=0)
            self._open = [cast(BinaryIO, gzip_file), raw]
        self._open[0].write(line.encode() + b"\n")
        self.lines += 1

    def publish(self) -> None:
        """Close the file and give it its name."""
        if self._close():
            self._temporary.replace(self.path)

    def discard(self) -> None:
        """Close the file and leave nothing of it."""
        if self._close():
            self._temporary.unlink(missing_ok=True)

    def _close(self) -> bool:
        """Close what is open; whether there was a line."""
        for file in self._open:
            file.close()
        return self.lines > 0


def damaged(record: Record, turn: int) -> str:
    """The record as a line that no pipeline may accept: cut off, without ids, or rated 9 stars."""
    line = _to_json(record)
    if turn % 3 == 1:
        return _to_json({key: value for key, value in record.items() if key not in ("asin", "parent_asin")})
    if turn % 3 == 2 and "user_id" in record:
        return _to_json({**record, "rating": 9.0})
    return line[: len(line) // 2]


@contextmanager
def line_files(paths: dict[int, Path]) -> Iterator[dict[int, LineFile]]:
    """Open a file for each day; publish them in order of days, or leave none behind after an error."""
    files = {day: LineFile(paths[day]) for day in sorted(paths)}
    try:
        yield files
    except BaseException:
        for file in files.values():
            file.discard()
        raise
    for file in files.values():
        file.publish()


def write(out: Path, users: int, seed: int, until: date, with_photos: bool = True) -> Summary:
    """Write what is missing of the sample, up to and with the folder of `until`.

    UsageError where the arguments make no sense, or where another sample is there already.
    """
    _check_arguments(out, users, seed, until)
    root, name = out / DATASET, f"seed{seed}_users{users}.jsonl.gz"
    _check_same(root, name)
    world = catalogue(users, seed)
    planted = Counter[str]()
    photo_count = _write_photos(root / "images", world, seed, until) if with_photos else 0
    versions = _write_items(root, name, world, users, until, planted)
    missing = _missing_files(root, "reviews", name, until)
    lines = _write_reviews(missing, world, users, seed, planted) if missing else 0
    return Summary(users if missing else 0, versions, lines, photo_count, len(missing), dict(planted))


def _check_arguments(out: Path, users: int, seed: int, until: date) -> None:
    if users < 1:
        raise UsageError(f"--users {users}: a sample needs at least one person")
    if seed < 0:
        raise UsageError(f"--seed {seed}: write a number from 0")
    if not FIRST_FOLDER <= until <= LAST_DAY:
        raise UsageError(f"--until {until}: the sample's folders go from {FIRST_FOLDER} to {LAST_DAY}")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: a file; name a folder")


def _check_same(root: Path, name: str) -> None:
    """UsageError where the folder holds anything but this sample: two would mix unseen."""
    for path in sorted(root.glob("date=*/*/*")):
        if path.name not in (name, f".{name}.tmp"):
            raise UsageError(f"{path}: another sample lands here, not {name}; empty {root} or choose another --out")


def _missing_files(root: Path, kind: str, name: str, until: date) -> dict[int, Path]:
    """Return the path of each day's file of that kind that does not exist yet."""
    paths = {day: root / f"date={date_of(day)}" / kind / name for day in folder_days(until)}
    return {day: path for day, path in paths.items() if not path.exists()}


def _write_photos(folder: Path, world: Catalogue, seed: int, until: date) -> int:
    """Write the missing photos of the items listed by `until`; return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = np.flatnonzero(world.photographed_I & (world.launch_I <= day_of(until))).tolist()
    missing = [item for item in listed if not (folder / f"{item_id(item)}.jpg").exists()]
    for item in tqdm(missing, desc="photos", unit="photo", disable=None):
        words = item_words(world, item)
        photo = photos.render(words.kind, words.colour, words.pattern, stream(seed, _PHOTOS, item))
        temporary = folder / f".{item_id(item)}.tmp"
        temporary.write_bytes(photos.jpeg(photo))
        temporary.replace(folder / f"{item_id(item)}.jpg")
    return len(missing)


def _write_items(root: Path, name: str, world: Catalogue, users: int, until: date, planted: Counter[str]) -> int:
    """Write the missing item files; return the number of versions in them."""
    landings: dict[int, list[tuple[int, bool]]] = {}
    for item, (launch, edit) in enumerate(zip(world.launch_I.tolist(), world.edit_I.tolist(), strict=True)):
        landings.setdefault(folder_day(launch), []).append((item, False))
        if edit >= 0:
            landings.setdefault(edit, []).append((item, True))
    paths = _missing_files(root, "items", name, until)
    missing = {day: path for day, path in paths.items() if day in landings}
    with line_files(missing) as files:
        for day, file in files.items():
            for item, edited in landings[day]:
                file.add(item_record(world, item, users, edited))
    versions = [version for day in missing for version in landings[day]]
    written = np.array(versions, dtype=np.int64).reshape(-1, 2)
    _count_item_oddities(world, written, planted)
    planted["broken lines"] += sum(file.broken for file in files.values())
    return len(written)


def _count_item_oddities(world: Catalogue, versions: np.ndarray, planted: Counter[str]) -> None:
    """Add to `planted` what is odd about these versions: rows of item, edited (0 or 1)."""
    new = versions[versions[:, 1] == 0, 0]
    planted["edited titles"] += len(versions) - len(new)
    planted["items without description"] += int((~world.described_I[new]).sum())
    planted["items without photo"] += int((~world.photographed_I[new]).sum())
    planted["items never picked"] += int((world.sale_I[new] > world.launch_I[new]).sum())


def _write_reviews(paths: dict[int, Path], world: Catalogue, users: int, seed: int, planted: Counter[str]) -> int:
    """Write the review files, one block of people after the other; return the number of lines."""
    with line_files(paths) as files:
        for block in tqdm(range(-(-users // BLOCK)), desc="people", unit="block", disable=None):
            block_people, rng = people(block, users, seed)
            block_events = events(world, block_people, rng)
            day_E = folder_E(block_events)
            positions = np.flatnonzero(np.isin(day_E, list(files)))
            records = review_records(world, block_people, block_events, positions.tolist())
            for day, record in zip(day_E[positions].tolist(), records, strict=True):
                files[day].add(record)
            _count_event_oddities(block_events, positions, planted)
    planted["broken lines"] += sum(file.broken for file in files.values())
    return sum(file.lines for file in files.values())


def _count_event_oddities(block_events: Events, positions: np.ndarray, planted: Counter[str]) -> None:
    """Add to `planted` the events that are companions of others."""
    roles, counts = np.unique(block_events.role_E[positions], return_counts=True)
    for role, count in zip(roles, counts, strict=True):
        if role in ROLE_NAMES:
            planted[ROLE_NAMES[role]] += int(count)
