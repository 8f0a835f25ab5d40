"""Landing zones for proofs: one that ends with a date, and one whose future is poisoned. Standard library only."""

from __future__ import annotations

import gzip
import json
import shutil
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any


def cut_zone(landing: Path, day: date, out: Path) -> Path:
    """Copy a zone without what landed or happened after the end of `day`; return the copy.

    Dated folders after `day` are left out, and of every file of reviews the lines of later events. A line whose time
    cannot be told stays as it is.
    """
    for path in sorted(landing.rglob("*")):
        relative = path.relative_to(landing)
        if not path.is_file() or any(_landing_date(part) > day for part in relative.parts):
            continue
        target = out / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if "reviews" in relative.parts[:-1]:
            _write(target, _lines_up_to(path, day))
        else:
            shutil.copy(path, target)
    return out


def poison_zone(landing: Path, day: date, out: Path) -> Path:
    """Copy a zone and land, on the day after `day`, other titles, pictures and lists for its items, and new reviews.

    The poison is in the format of 2014: whoever reviewed an item reviews it again, and the item before it.
    """
    shutil.copytree(landing, out, dirs_exist_ok=True)
    next_day = day + timedelta(days=1)
    for dataset in sorted(path for path in landing.iterdir() if path.is_dir()):
        pairs = sorted(_reviewed_pairs(dataset, day))
        folder = out / dataset.name / f"date={next_day}"
        items = sorted({item for _, item in pairs})
        _write(folder / "items" / "poison.json.gz", (_encode(_item(item, items)) for item in items))
        items_before = [item for _, item in pairs[-1:] + pairs[:-1]]
        reviews = []
        for (user, item), item_before in zip(pairs, items_before, strict=True):
            reviews += [_review(user, item, next_day), _review(user, item_before, next_day)]
        _write(folder / "reviews" / "poison.json.gz", (_encode(review) for review in reviews))
    return out


def _landing_date(part: str) -> date:
    return date.fromisoformat(part.removeprefix("date=")) if part.startswith("date=") else date.min


def _lines(path: Path) -> Iterator[bytes]:
    open_file = gzip.open if path.suffix == ".gz" else open
    with open_file(path, "rb") as file:
        yield from file


def _lines_up_to(path: Path, day: date) -> Iterator[bytes]:
    """Yield the lines of events up to a date, and those whose time cannot be told."""
    yield from (line for line in _lines(path) if (_event_date(line) or day) <= day)


def _write(path: Path, lines: Iterator[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
        file.writelines(lines)


def _parse_row(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


def _event_date(line: bytes) -> date | None:
    row = _parse_row(line)
    seconds = row.get("unixReviewTime")
    if seconds is None and isinstance(row.get("timestamp"), int | float):
        seconds = row["timestamp"] / 1000
    if not isinstance(seconds, int | float):
        return None
    return datetime.fromtimestamp(seconds, UTC).date()


def _reviewed_pairs(dataset: Path, day: date) -> set[tuple[str, str]]:
    """Return who reviewed what up to a date."""
    rows = [_parse_row(line) for path in dataset.rglob("reviews/*.json*") for line in _lines_up_to(path, day)]
    pairs = [(row.get("reviewerID") or row.get("user_id"), row.get("parent_asin") or row.get("asin")) for row in rows]
    return {(user, item) for user, item in pairs if isinstance(user, str) and isinstance(item, str)}


def _item(item: str, items: list[str]) -> dict[str, Any]:
    next_item = items[(bisect_left(items, item) + 1) % len(items)]
    title = f"Poison {item}"
    return {
        "asin": item,
        "title": title,
        "description": f"{title}, from tomorrow",
        "imUrl": f"http://127.0.0.1:9/{item}.jpg",
        "related": {"also_bought": [next_item]},
    }


def _review(user: str, item: str, day: date) -> dict[str, Any]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return {
        "reviewerID": user,
        "asin": item,
        "overall": 1.0,
        "reviewText": f"poison {user} {item}",
        "summary": "poison",
        "unixReviewTime": int(noon.timestamp()),
    }


def _encode(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode() + b"\n"
