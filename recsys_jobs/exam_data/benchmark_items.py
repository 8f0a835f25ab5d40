"""`items.jsonl.gz` of a benchmark folder: one JSON object an item, with whatever fields its source had.

The text is title, brand and categories, or, where there is no title, the keywords and the attributes
from the narrowest to the widest.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from recsys_jobs.errors import JobError
from recsys_jobs.exam_data.files import json_lines
from recsys_jobs.exam_data.raw import Item

NUMBERS = ("price",)
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")  # categories are written as a list of Python's strings


def read(path: Path) -> dict[str, Item]:
    """Return the items by id; JobError where a line has no `item`, or one that came before."""
    items: dict[str, Item] = {}
    for number, fields in json_lines(path):
        if "item" not in fields:
            raise JobError(f"{path}, line {number}: no field item")
        name = str(fields["item"])
        if name in items:
            raise JobError(f"{path}, line {number}: item {name} stands there twice")
        items[name] = _item(fields)
    return items


def _item(fields: dict[str, Any]) -> Item:
    brand = _known(fields.get("brand"))
    categories = [a or b for a, b in _QUOTED.findall(str(fields.get("categories") or ""))]
    attributes = [str(one) for one in fields.get("attributes") or []]
    title = _known(fields.get("title"))
    if title:
        text = f"{title}\n{'. '.join(filter(None, [brand, ', '.join(categories)]))}"
    else:
        text = ". ".join(filter(None, [_known(fields.get("keywords")), ", ".join(reversed(attributes))]))
    labels = tuple(filter(None, [brand, *categories, *attributes]))
    return Item(text=text, labels=labels, numbers=(_price(fields.get("price")),))


def _known(value: Any) -> str:
    """A value as text; empty for what says that nothing is known."""
    text = str(value or "").strip()
    return "" if text in ("Unknown", "None", "nan") else text


def _price(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
