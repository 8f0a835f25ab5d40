"""Which dump a file is, told by the names of its fields; and items written as Python literals turned into JSON."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from dataclasses import dataclass

NAME = re.compile(rb"""["'](\w+)["']\s*:""")
LITERAL = re.compile(rb"\s*\{\s*'")  # JSON has no single quotes

REVIEWS_2023 = {"user_id", "parent_asin", "timestamp", "rating"}
REVIEWS_OLD = {"reviewerID", "overall", "unixReviewTime", "reviewText", "asin"}
REVIEWS_2018_ONLY = {"verified", "style", "vote", "image"}
ITEMS_2018_ONLY = {"also_buy", "also_view", "category", "main_cat", "similar_item", "image", "imageURL", "tech1"}
OF_REVIEWS = {"user_id", "reviewerID", "overall", "unixReviewTime", "reviewText"}  # an item has none of them
FIELDS_NEEDED = 2  # of a review's: one may be missing from a line, and a name may occur anywhere


@dataclass(frozen=True)
class Format:
    """`name` as in the table ingest_files; `literal`: one Python literal a line, not JSON."""

    name: str
    literal: bool


def recognise(head: list[bytes], kind: str) -> Format | None:
    """The format of a file of `kind` whose first lines are `head`: that of most lines; None where no line has one."""
    found = Counter(fmt for line in head if (fmt := _of_line(line, kind)))
    return max(found, key=lambda fmt: (found[fmt], fmt.name)) if found else None


def _of_line(line: bytes, kind: str) -> Format | None:
    fields = {name.decode("ascii", "replace") for name in NAME.findall(line)}
    name = _reviews(fields) if kind == "reviews" else _items(fields)
    return Format(name, bool(LITERAL.match(line))) if name else None


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


def literal_to_json(line: str) -> str | None:
    """One line of a 2014 items file, a Python literal, as JSON; JSON as it is; None where it is neither.

    `ast.literal_eval` builds constants and containers only; nothing is called or looked up.
    """
    try:
        return json.dumps(ast.literal_eval(line.strip()), allow_nan=False)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return line if line.lstrip().startswith('{"') else None
