"""`items.jsonl.gz` of a benchmark folder: one JSON object an item, with whatever fields its source had.

The text is title, brand and categories, or, where there is no title, the keywords and the attributes
from the narrowest to the widest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.parsing.field_values import as_labels, as_plain_text, as_price, as_text
from recsys_jobs.data.readers.files import json_lines
from recsys_jobs.data.readers.raw import Item

NUMBERS = ("price",)


def read(path: Path) -> dict[str, Item]:
    """Return the items by id; JobError where a line has no `item`, or one that came before."""
    items: dict[str, Item] = {}
    for number, fields in json_lines(path):
        name = as_text(fields.get("item"))
        if name is None:
            raise JobError(f"{path}, line {number}: no field item")
        if name in items:
            raise JobError(f"{path}, line {number}: item {name} stands there twice")
        items[name] = _item(fields)
    return items


def _item(fields: dict[str, Any]) -> Item:
    title, brand, keywords = (_known(fields.get(name)) for name in ("title", "brand", "keywords"))
    categories = as_labels(_bracketed(fields.get("categories")))
    attributes = as_labels(fields.get("attributes"))
    if title:
        text = f"{title}\n{'. '.join(filter(None, [brand, ', '.join(categories)]))}"
    else:
        text = ". ".join(filter(None, [keywords, ", ".join(reversed(attributes))]))
    labels = tuple(filter(None, [brand, *categories, *attributes]))
    price = as_price(fields.get("price"))
    return Item(text=text, labels=labels, numbers=(float("nan") if price is None else price,))


def _bracketed(value: Any) -> Any:
    """Categories are written as the inside of a list of Python's strings."""
    is_inside = isinstance(value, str) and value.strip()[:1] in ("'", '"')
    return f"[{value}]" if is_inside else value


def _known(value: Any) -> str:
    """A value as plain text; empty for what says that nothing is known."""
    text = as_plain_text(value)
    return "" if text == "Unknown" else text
