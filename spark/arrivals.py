"""Which landed files are to be read tonight, and which are refused before anything parses them. No Spark."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from spark.dump_shape import describe_shape, has_objects
from spark.file_registry import Record, Registry, in_force
from spark.formats import detect_format
from spark.integrity import Inspection, fingerprint, inspect
from spark.landing import LandedFile

_LOOKS_LIKE = {
    "reviews": "a review (fields reviewerID, overall, unixReviewTime …, or user_id, parent_asin, rating, timestamp …)",
    "items": "an item (a field asin or parent_asin, none of a review's)",
}


@dataclass(frozen=True)
class Arrival:
    """A file to be read: its place, the pass over its bytes, and its format (None for an empty file)."""

    landed: LandedFile
    inspection: Inspection
    format: str | None
    problem: str | None = None  # why it is refused


@dataclass(frozen=True)
class Landing:
    """What a night finds: the files to be read, and of those that the lake holds as they are, the present status."""

    arrivals: list[Arrival]
    stored: dict[str, os.stat_result]  # by path, taken before the bytes were looked at


def look(landed: list[LandedFile], registry: Registry) -> Landing:
    """The files that are not in the lake as they are, each inspected; refused ones are tried again every night.

    With a file that supersedes another come the files of its dataset that hold duplicates: a row of theirs may have
    lost to one that leaves now.
    """
    accepted = in_force(registry)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # zlib and hashlib let other threads run
        statuses = {file.path: file.place.stat() for file in landed}
        are_stored = list(
            pool.map(lambda file: _is_stored(file.place, statuses[file.path], accepted.get(file.path)), landed)
        )
        new = [file for file, is_stored in zip(landed, are_stored, strict=True) if not is_stored]
        superseded = {(file.dataset, file.kind) for file in new if file.path in accepted}
        revisited = [file for file in landed if file not in new and _may_return(accepted[file.path], superseded)]
        arrivals = list(pool.map(_inspect, sorted([*new, *revisited])))
    arrived = {arrival.landed.path for arrival in arrivals}
    return Landing(arrivals, {path: status for path, status in statuses.items() if path not in arrived})


def _is_stored(path: Path, status: os.stat_result, record: Record | None) -> bool:
    """Whether the lake holds the file as it is.

    One of the size, time of change and inode that it had when it was read was not touched since; of the size alone,
    it is hashed. `python -m spark.rehash` hashes all.
    """
    if record is None or record.bytes != status.st_size:
        return False
    is_untouched = (record.modified_ns, record.inode) == (status.st_mtime_ns, status.st_ino)
    return is_untouched or record.fingerprint == fingerprint(path)


def _may_return(record: Record, superseded: set[tuple[str, str]]) -> bool:
    return record.rows_duplicate > 0 and (record.dataset, record.kind) in superseded


def _inspect(file: LandedFile) -> Arrival:
    inspection = inspect(file.place)
    if inspection.problem:
        return Arrival(file, inspection, None, _with_shape(inspection.problem, inspection))
    lines = inspection.head_lines()
    if not lines:
        return Arrival(file, inspection, None)
    fmt = detect_format(lines, file.kind)
    if not has_objects(lines) and (shape := describe_shape(inspection.head)):
        return Arrival(file, inspection, None, shape)
    problem = None if fmt else f"no line among the first {len(lines)} looks like {_LOOKS_LIKE[file.kind]}"
    return Arrival(file, inspection, fmt, problem and _with_shape(problem, inspection))


def _with_shape(problem: str, inspection: Inspection) -> str:
    shape = describe_shape(inspection.head)
    return f"{problem}; it is {shape}" if shape else problem
