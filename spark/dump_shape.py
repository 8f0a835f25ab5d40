"""Tells what a file is that does not hold one JSON object a line, and how to turn it into one that does. No Spark."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from recsys_jobs.contracts.parsing.object_line import LineError, read_object, shorten
from spark.formats import OF_REVIEWS, REVIEWS_2023, REVIEWS_OLD

_KNOWN_FIELDS = REVIEWS_2023 | REVIEWS_OLD | OF_REVIEWS | {"asin", "parent_asin"}
_MAGIC = {
    b"PK\x03\x04": "a ZIP archive: unpack it",
    b"\x1f\x8b": "gzipped twice: unpack it once",
    b"BZh": "packed by bzip2: unpack it, or pack it with gzip",
    b"\xfd7zXZ": "packed by xz: unpack it, or pack it with gzip",
    b"\x28\xb5\x2f\xfd": "packed by zstd: unpack it, or pack it with gzip",
    b"PAR1": "a Parquet file: write it as one JSON object a line",
    b"SQLite format 3": "an SQLite database: write its rows as one JSON object a line",
    b"%PDF": "a PDF",
}
_UTF8_MARK = b"\xef\xbb\xbf"
_ONE_A_LINE = "write one object a line"


def has_objects(lines: list[bytes]) -> bool:
    """Whether any of these lines is an object as a whole."""
    return any(_object_or_none(line) is not None for line in lines)


def describe_shape(head: bytes) -> str | None:
    """Return what a file is whose text begins with `head`, and how to mend it; None where no known shape fits."""
    text = head.removeprefix(_UTF8_MARK).lstrip()
    return next((description for describe in _SHAPES if (description := describe(text))), None)


def describe_line(line: str) -> str | None:
    """Why a line is no object; None where it is one."""
    try:
        read_object(line)
    except LineError as error:
        return str(error)
    return None


def _packed(text: bytes) -> str | None:
    return next((description for magic, description in _MAGIC.items() if text.startswith(magic)), None)


def _utf16_or_utf32(text: bytes) -> str | None:
    """UTF-16 and UTF-32 have a zero beside or before each letter that ASCII knows."""
    start = text[:400]
    if start[:2] not in (b"\xff\xfe", b"\xfe\xff") and 3 * start.count(0) <= len(start):
        return None
    width = "32" if start.count(0) > len(start) * 0.6 else "16"
    return f"UTF-{width} text, not UTF-8: `iconv -f UTF-{width} -t UTF-8`"


def _html_page(text: bytes) -> str | None:
    is_page = re.match(rb"<(!doctype|html|head|\?xml|!--|[a-z]+[ >])", text, re.IGNORECASE)
    return "an HTML or XML page, as a failed download leaves one: fetch the file again" if is_page else None


def _json_array(text: bytes) -> str | None:
    return "a JSON array, not one object a line: `jq -c '.[]'`" if text.startswith(b"[") else None


def _columnar_object(text: bytes) -> str | None:
    """One object of whole columns, or one that wraps a list, on one line."""
    fields = _object_or_none(text.strip())
    if not fields:
        return None
    if all(isinstance(value, dict | list) for value in fields.values()) and len(fields) > 1:
        return (
            f"one object that holds whole columns ({', '.join(fields)}), not one object a line: in pandas "
            "`frame.to_json(path, orient='records', lines=True)`"
        )
    wrapping = next((name for name, value in fields.items() if _is_list_of_objects(value)), None)
    if wrapping and not _KNOWN_FIELDS & set(fields):
        return f"one object that wraps a list, not one object a line: `jq -c '.[\"{wrapping}\"][]'`"
    return None


def _several_lines(text: bytes) -> str | None:
    first = text.split(b"\n", 1)[0]
    if not text.startswith(b"{") or _object_or_none(first) is not None or b"\n" not in text.strip():
        return None
    if re.fullmatch(rb"\{\s*", first) or _ends_later(text):
        return "objects printed over several lines, not one a line: `jq -c .`"
    return None


def _ends_later(text: bytes) -> bool:
    """Whether the first object ends on a later line than it begins."""
    try:
        _, end = json.JSONDecoder().raw_decode(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    return "\n" in text.decode("utf-8", "replace")[:end]


def _carriage_returns(text: bytes) -> str | None:
    if b"\r" in text.strip() and b"\n" not in text:
        return f"lines that end in a carriage return alone: `tr '\\r' '\\n'`, to {_ONE_A_LINE}"
    return None


def _run_together(text: bytes) -> str | None:
    line = text.split(b"\n", 1)[0]
    if line.startswith(b"{") and re.search(rb"\}\s*,?\s*\{\s*u?[\"']", line) and _object_or_none(line) is None:
        return "several objects on one line, not one a line: `jq -c .`"
    return None


def _comma_behind(text: bytes) -> str | None:
    line = text.split(b"\n", 1)[0].rstrip()
    if line.endswith(b"},") and _object_or_none(line[:-1]) is not None:
        return "objects with a comma behind each, as an array has them: `sed 's/,\\s*$//'`"
    return None


def _delimited(text: bytes) -> str | None:
    header = text.split(b"\n", 1)[0].decode("utf-8", "replace")
    cells = {cell.strip().strip("\"'") for cell in re.split(r"[,;|\t]", header)}
    if len(cells) > 1 and cells & _KNOWN_FIELDS:
        return f"delimited text with a header ({shorten(header.strip())}), not JSON: {_ONE_A_LINE}"
    return None


def _other_encoding(text: bytes) -> str | None:
    try:
        text[:-4].decode()
    except UnicodeDecodeError as error:
        byte, line = text[error.start], text[: error.start].count(b"\n") + 1
        return f"not UTF-8 (byte 0x{byte:02x} on line {line}): `iconv -f WINDOWS-1252 -t UTF-8`, if it is that"
    return None


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(part, dict) for part in value)


def _object_or_none(line: bytes) -> dict[str, object] | None:
    try:
        return read_object(line.decode())
    except (LineError, UnicodeDecodeError):
        return None


_SHAPES: tuple[Callable[[bytes], str | None], ...] = (
    _packed,
    _utf16_or_utf32,
    _html_page,
    _json_array,
    _columnar_object,
    _carriage_returns,
    _several_lines,
    _run_together,
    _comma_behind,
    _delimited,
    _other_encoding,
)
