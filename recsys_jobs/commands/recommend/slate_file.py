"""Writes slates to files: CSV, or JSON an object a person."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a header and rows; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)


def write_slates(path: Path, rows: list[dict[str, Any]], model: str) -> None:
    """Write the places of people's slates, with the model in words where the file is JSON; the folder is made."""
    if path.suffix == ".csv":
        write_csv(path, ("user_id", "rank", "item_id", "score"), [tuple(row.values()) for row in rows])
        return
    by_user: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        place = {name: row[name] for name in ("rank", "item_id", "score")}
        by_user.setdefault(row["user_id"], []).append(place)
    slates = [{"user_id": user, "items": places} for user, places in by_user.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"model": model, "slates": slates}, indent=1) + "\n", encoding="utf-8")
