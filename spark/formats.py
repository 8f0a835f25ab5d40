"""Which dump a file is, told by the names of the fields of its lines: the lines' own, not those of what they hold."""

from __future__ import annotations

import re
from collections import Counter

from recsys_jobs.contracts.parsing.object_line import STRING

_TOKEN = re.compile(rf"({STRING})(\s*:)?|([\[{{(])|([\]}})])".encode(), re.DOTALL)

REVIEWS_2023 = {"user_id", "parent_asin", "timestamp", "sort_timestamp", "rating"}
REVIEWS_OLD = {"reviewerID", "overall", "unixReviewTime", "reviewText", "asin"}
REVIEWS_2018_ONLY = {"verified", "style", "vote", "image"}
ITEMS_2018_ONLY = {"also_buy", "also_view", "category", "main_cat", "similar_item", "image", "imageURL", "tech1"}
OF_REVIEWS = {"user_id", "reviewerID", "overall", "unixReviewTime", "reviewText"}  # an item has none of them
FIELDS_NEEDED = 2  # of a review's: one may be missing from a line


def detect_format(head: list[bytes], kind: str) -> str | None:
    """The format of a file of `kind` whose first lines are `head`: that of most lines; None where no line has one."""
    formats = Counter(name for line in head if (name := _of_line(line, kind)))
    return max(formats, key=lambda name: (formats[name], name)) if formats else None


def field_names(line: bytes) -> set[str]:
    """The names of the fields of the object on a line, which may be cut off; not those of objects within it."""
    depth = 0
    names = set()
    for match in _TOKEN.finditer(line):
        string, colon, opens, closes = match.groups()
        depth += bool(opens) - bool(closes)
        if string and colon and depth == 1:
            names.add(string.lstrip(b"uUbB")[1:-1].decode("utf-8", "replace"))
    return names


def _of_line(line: bytes, kind: str) -> str | None:
    if not line.lstrip(b"\xef\xbb\xbf \t\r").startswith(b"{"):
        return None
    fields = field_names(line)
    return _reviews(fields) if kind == "reviews" else _items(fields)


def _reviews(fields: set[str]) -> str | None:
    if len(fields & REVIEWS_2023) >= FIELDS_NEEDED:
        return "amazon2023"
    if len(fields & REVIEWS_OLD) >= FIELDS_NEEDED:
        return "amazon2018" if fields & REVIEWS_2018_ONLY else "amazon2014"
    return None


def _items(fields: set[str]) -> str | None:
    if fields & OF_REVIEWS:
        return None
    if "parent_asin" in fields:
        return "amazon2023"
    if "asin" in fields:
        return "amazon2018" if fields & ITEMS_2018_ONLY else "amazon2014"
    return None
