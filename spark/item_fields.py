"""One shape for the items of three dumps: an object as it was landed, as the columns of the table `items`. No Spark."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from recsys_jobs.contracts.parsing.field_values import (
    as_ids,
    as_labels,
    as_object,
    as_plain_text,
    as_price,
    as_texts,
    as_urls,
)
from recsys_jobs.contracts.parsing.object_line import LineError, read_object
from recsys_jobs.contracts.parsing.plain_text import is_page_code

ITEM_ID = ("parent_asin", "asin")
REVIEW_FIELDS = (
    ("reviewerID", "user_id", "asin", "parent_asin", "overall", "rating", "summary", "title", "reviewText", "text")
    + ("unixReviewTime", "timestamp", "sort_timestamp", "verified", "verified_purchase")
)  # fmt: skip


def item_columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's id, as it was landed, and the columns from title to bought_together.

    Title, brand and categories are plain text. A description keeps its mark-up: the text encoders read past it.
    """
    related = as_object(fields.get("related"))
    pictures = [fields.get(name) for name in ("images", "imUrl", "imageURLHighRes", "imageURL", "image")]
    paragraphs = (text for text in as_texts(fields.get("description")) if not is_page_code(text))
    return {
        "item_id": next((fields[name] for name in ITEM_ID if fields.get(name) is not None), None),
        "title": as_plain_text(fields.get("title")) or None,
        "description": "\n".join(paragraphs).strip() or None,
        "brand": as_plain_text(fields.get("brand")) or as_plain_text(fields.get("store")) or None,
        "categories": list(dict.fromkeys(as_labels(fields.get("category")) or as_labels(fields.get("categories")))),
        "price": as_price(fields.get("price")),
        "image_urls": as_urls(*pictures),
        "also_bought": as_ids(fields.get("also_buy"), related.get("also_bought")),
        "also_viewed": as_ids(fields.get("also_view"), related.get("also_viewed")),
        "bought_together": as_ids(fields.get("bought_together"), related.get("bought_together")),
    }


def item_json(line: str) -> str | None:
    """Return a line of an items file as a JSON object of the table's columns; None where it is no object."""
    try:
        return json.dumps(item_columns(read_object(line)), ensure_ascii=False)
    except LineError:
        return None


def review_json(line: str) -> str | None:
    """Return a line of a reviews file as JSON that Spark reads, its fields as they were; None where it is no object."""
    try:
        fields = read_object(line)
    except LineError:
        return None
    return json.dumps({name: fields[name] for name in REVIEW_FIELDS if name in fields}, ensure_ascii=False)
