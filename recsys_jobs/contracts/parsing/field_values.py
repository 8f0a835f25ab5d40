"""Reads the fields of a dump, whatever wrote them: texts, lists, pictures, ids, prices.

A field that should be a list or an object may be a text that holds one, as files that went through a CSV have it. It is
read whole or kept as the text it is, never as the part of it that looks right.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from recsys_jobs.contracts.parsing.object_line import STRING, read_value
from recsys_jobs.contracts.parsing.plain_text import plain_text

ABSENT = ("", "nan", "NaN", "None", "null", "NULL")  # what says that nothing is known
ID_PATTERN = "[A-Za-z0-9_-]{1,64}"  # items' ids become file names (images), so no dots or slashes
ID = re.compile(ID_PATTERN)
SIZES = ("large", "hi_res", "thumb")  # of a picture in the dumps of 2023, best first
_URL = re.compile(r"https?://\S.*", re.IGNORECASE)
_GAP = re.compile(rf"({STRING})|([\]}}])\s+(?=[\[{{])", re.DOTALL)
_NEXT_STRING = re.compile(rf"\s+(?={STRING})", re.DOTALL)
_BETWEEN_IDS = re.compile(r"[\[\](){}'\"\s]*[,;|][\[\](){}'\"\s]*")

_MONEY = "[$€£¥₹]|US\\$|USD|EUR|GBP"
_PRICE = re.compile(rf"(?:{_MONEY})?\s*([0-9][0-9.,'’ \u00a0\u202f]*)\s*(?:{_MONEY})?")
_SPACES = "'’ \u00a0\u202f"
_THOUSANDS = r"[1-9][0-9]{0,2}(?P<mark>[%s])[0-9]{3}(?:(?P=mark)[0-9]{3})*"
_POINT = re.compile(r"[0-9]+(?:\.[0-9]+)?|" + _THOUSANDS % f",{_SPACES}" + r"(?:\.[0-9]+)?")
_DOUBTFUL = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")  # 1.299: thousands in one half of the world
_COMMA = re.compile(
    r"[0-9]+,[0-9]{1,2}|" + _THOUSANDS % f".{_SPACES}" + r",[0-9]{1,2}|[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,}"
)


def is_absent(value: Any) -> bool:
    """Whether a value says that nothing is known: null, NaN, blank, or a word for it."""
    if isinstance(value, str):
        return value.strip() in ABSENT
    return value is None or (isinstance(value, float) and math.isnan(value))


def as_text(value: Any) -> str | None:
    """Return a value as text, a list's parts as one line each; None where nothing is known."""
    if is_absent(value):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(part for part in map(as_text, value) if part) or None
    return json.dumps(value, ensure_ascii=False)


def as_texts(value: Any) -> list[str]:
    """Return the texts of a list, of lists in it, or of a text that holds one; any other text is one text."""
    unwrapped = _unwrap(value)
    return [text for part in _flatten(unwrapped if isinstance(unwrapped, list) else value) if (text := as_text(part))]


def as_plain_text(value: Any) -> str:
    """Return a value as one line of plain text; empty where nothing is known."""
    return plain_text(as_text(value) or "")


def as_labels(value: Any) -> list[str]:
    """Return the texts of a list as plain text, without those that are mark-up alone."""
    return [label for text in as_texts(value) if (label := plain_text(text))]


def as_object(value: Any) -> dict[str, Any]:
    """Return an object, or the one that a text holds; an empty one where there is none."""
    unwrapped = _unwrap(value)
    return unwrapped if isinstance(unwrapped, dict) else {}


def as_ids(*values: Any) -> list[str]:
    """Return the item ids of lists, each once, in order; what cannot be an id is left out."""
    ids = [part for value in values for text in as_texts(value) for part in _ids_of(text)]
    return list(dict.fromkeys(ids))


def as_urls(*values: Any) -> list[str]:
    """Return the http(s) URLs of pictures, each once, in order: texts, objects by size, or one object of columns."""
    urls = [url for value in values for picture in _pictures(value) if (url := _best_url(picture))]
    return list(dict.fromkeys(urls))


def as_price(value: Any) -> float | None:
    """Return a price, written with a decimal point or comma; None where it is not one number without doubt."""
    if isinstance(value, bool) or is_absent(value):
        return None
    if isinstance(value, int | float):
        return _known_price(float(value))
    match = _PRICE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    digits = match[1].strip()
    if _DOUBTFUL.fullmatch(digits):
        return None
    if _POINT.fullmatch(digits):
        return _known_price(float(re.sub(r"[^0-9.]", "", digits)))
    if _COMMA.fullmatch(digits):
        return _known_price(float(re.sub(r"[^0-9,]", "", digits).replace(",", ".")))
    return None


def _known_price(price: float) -> float | None:
    return price if math.isfinite(price) and price >= 0 else None


def _unwrap(value: Any) -> Any:
    """The list or object that a text holds, whole; else the value as it is. Lists of numbers alone stay texts."""
    text = value.strip() if isinstance(value, str) else ""
    if text[:1] + text[-1:] not in ("[]", "{}", "()"):
        return value
    try:
        (value_inside,) = read_value(f"[{_add_commas(text)}]")  # one, with nothing behind it
    except ValueError:
        return value
    if (
        isinstance(value_inside, list)
        and value_inside
        and not any(isinstance(part, str | dict | None) for part in _flatten(value_inside))
    ):
        return value
    return value_inside if isinstance(value_inside, list | dict) else value


def _add_commas(text: str) -> str:
    """Commas between the parts of an array as numpy prints it: ['a' 'b']."""

    def add_comma(match: re.Match[str]) -> str:
        if match[1] is None:
            return f"{match[2]}, "
        return match[1] + ("," if _NEXT_STRING.match(text, match.end()) else "")

    return _GAP.sub(add_comma, text)


def _flatten(value: Any) -> Iterator[Any]:
    """The parts of a list, of lists in it too; a value that is none is its own part."""
    if not isinstance(value, list):
        yield value
        return
    for part in value:
        yield from _flatten(part)


def _ids_of(text: str) -> Iterable[str]:
    """The id that a text is, or the ids that it lists."""
    ids = [part.strip() for part in _BETWEEN_IDS.split(text.strip("[](){}'\" \t\r\n")) if part.strip()]
    return ids if all(ID.fullmatch(part) for part in ids) else []


def _pictures(value: Any) -> Iterator[Any]:
    """The pictures of a list, one after the other; of an object whose sizes are lists, place by place."""
    unwrapped = _unwrap(value)
    if isinstance(unwrapped, list):
        for part in unwrapped:
            yield from _pictures(part)
    elif isinstance(unwrapped, dict):
        columns = {size: _unwrap(unwrapped.get(size)) for size in SIZES}
        columns = {size: column if isinstance(column, list) else [column] for size, column in columns.items()}
        for place in range(max(map(len, columns.values()))):
            yield {size: column[place] for size, column in columns.items() if place < len(column)}
    else:
        yield unwrapped


def _best_url(picture: Any) -> str | None:
    """A picture's largest size that has a URL."""
    sizes = [picture.get(size) for size in SIZES] if isinstance(picture, dict) else [picture]
    texts = (size.strip().replace("&amp;", "&") for size in sizes if isinstance(size, str))
    return next((text for text in texts if _URL.fullmatch(text)), None)
