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

_KINDS = ("reviews", "items")


def cut_zone(landing: Path, day: date, out: Path) -> Path:
    """Copy a zone without what landed or happened after the end of `day`; return the copy.

    Dated folders after `day` are left out, and of every file of reviews the lines of later events. A line whose time
    cannot be told stays as it is.
    """
    for path in sorted(landing.rglob("*")):
        place = path.relative_to(landing)
        if not path.is_file() or any(_landed(part) > day for part in place.parts):
            continue
        target = out / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if "reviews" in place.parts[:-1]:
            _write(target, (line for line in _lines(path) if (_when(line) or day) <= day))
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
        pairs = sorted(_pairs(dataset, day))
        folder = out / dataset.name / f"date={next_day}"
        items = sorted({item for _, item in pairs})
        _write(folder / "items" / "poison.json.gz", (_encoded(_item(name, items)) for name in items))
        before = [item for _, item in pairs[-1:] + pairs[:-1]]
        again = [(user, name) for (user, item), other in zip(pairs, before, strict=True) for name in (item, other)]
        _write(folder / "reviews" / "poison.json.gz", (_encoded(_review(*pair, next_day)) for pair in again))
    return out


def _landed(part: str) -> date:
    return date.fromisoformat(part.removeprefix("date=")) if part.startswith("date=") else date.min


def _lines(path: Path) -> Iterator[bytes]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        yield from file


def _write(path: Path, lines: Iterator[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
        file.writelines(lines)


def _row(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}


def _when(line: bytes) -> date | None:
    row = _row(line)
    seconds = row.get("unixReviewTime")
    if seconds is None and isinstance(row.get("timestamp"), int | float):
        seconds = row["timestamp"] / 1000
    if not isinstance(seconds, int | float):
        return None
    return datetime.fromtimestamp(seconds, UTC).date()


def _pairs(dataset: Path, day: date) -> set[tuple[str, str]]:
    """Who reviewed what up to a date."""
    rows = [
        _row(line) for path in dataset.rglob("reviews/*.json*") for line in _lines(path) if (_when(line) or day) <= day
    ]
    named = [(row.get("reviewerID") or row.get("user_id"), row.get("parent_asin") or row.get("asin")) for row in rows]
    return {(user, item) for user, item in named if isinstance(user, str) and isinstance(item, str)}


def _item(name: str, items: list[str]) -> dict[str, Any]:
    also = items[(bisect_left(items, name) + 1) % len(items)]
    title = f"Poison {name}"
    return {"asin": name, "title": title, "description": f"{title}, from tomorrow"} | {
        "imUrl": f"http://127.0.0.1:9/{name}.jpg",
        "related": {"also_bought": [also]},
    }


def _review(user: str, item: str, day: date) -> dict[str, Any]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return {"reviewerID": user, "asin": item, "overall": 1.0, "reviewText": f"poison {user} {item}"} | {
        "summary": "poison",
        "unixReviewTime": int(noon.timestamp()),
    }


def _encoded(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode() + b"\n"
