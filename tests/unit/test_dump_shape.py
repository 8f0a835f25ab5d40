"""A file that is not one JSON object a line says what it is, and how to make it one that is."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark.dump_shape import describe_line, describe_shape, has_objects

ROWS = [{"asin": f"B{n}", "title": "Café", "related": {"also_bought": ["B1"]}} for n in range(3)]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
COLUMNS = {name: {str(n): row[name] for n, row in enumerate(ROWS)} for name in ROWS[0]}


def _zip(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.json"), text)  # of a fixed time: two workers must agree on a test's name
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (json.dumps(ROWS).encode(), "a JSON array, not one object a line: `jq -c '.[]'`"),
        (json.dumps(ROWS, indent=1).encode(), "a JSON array"),
        (f"[\n{LINES}]".encode(), "a JSON array"),
        ("\n".join(json.dumps(row, indent=2) for row in ROWS).encode(), "objects printed over several lines"),
        (json.dumps(ROWS[0], indent=None, separators=(",\n", ":")).encode(), "objects printed over several lines"),
        (b"\xef\xbb\xbf" + json.dumps(ROWS[0], indent=2).encode(), "objects printed over several lines"),
        (json.dumps(COLUMNS).encode(), "one object that holds whole columns (asin, title, related)"),
        (json.dumps({"data": ROWS}).encode(), "one object that wraps a list, not one object a line: `jq"),
        (LINES.replace("\n", "").encode(), "several objects on one line"),
        (LINES.replace("\n", ", ").encode(), "several objects on one line"),
        (LINES.replace("\n", ",\n").encode(), "objects with a comma behind each, as an array has them: `sed"),
        (LINES.replace("\n", "\r").encode(), "lines that end in a carriage return alone"),
        (LINES.encode("utf-16"), "UTF-16 text, not UTF-8: `iconv -f UTF-16 -t UTF-8`"),
        (LINES.encode("utf-16-le"), "UTF-16 text"),
        (LINES.encode("utf-16-be"), "UTF-16 text"),
        (LINES.encode("utf-32"), "UTF-32 text"),
        (LINES.encode("latin-1"), "not UTF-8 (byte 0xe9 on line 1)"),
        (b"<!DOCTYPE html><html>404</html>", "an HTML or XML page, as a failed download leaves one"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an HTML or XML page"),
        (b"asin,title\nB1,Cup\n", "delimited text with a header ('asin,title')"),
        (b"reviewerID\tasin\toverall\nA1\tB1\t5\n", "delimited text with a header"),
        (_zip(LINES), "a ZIP archive"),
        (gzip.compress(LINES.encode(), mtime=0), "gzipped twice"),  # what is here is unpacked already
        (bz2.compress(LINES.encode()), "packed by bzip2"),
        (lzma.compress(LINES.encode()), "packed by xz"),
        (b"PAR1\x15\x04", "a Parquet file"),
    ],
)  # fmt: skip
def test_the_shape_is_named(content: bytes, says: str) -> None:
    assert says in str(describe_shape(content))


@pytest.mark.parametrize("content", [LINES.encode(), repr(ROWS[0]).encode(), b"", b"\n\n", b"hello\n", b'{"asin"'])
def test_of_others_there_is_nothing_to_say(content: bytes) -> None:
    assert describe_shape(content) is None


def test_objects_are_told_from_pieces_of_objects() -> None:
    assert has_objects([b"#", b'{"asin": "B1"}'])
    assert has_objects([b"{u'asin': u'B1'}\r"])
    assert not has_objects([b"{", b'"asin": "B1",', b"}", b"[1]", b"\xff\xfe{\x00"])


def test_a_broken_line_says_why() -> None:
    assert describe_line('{"asin": "B1"') == "not JSON: Expecting ',' delimiter at character 14"
    assert describe_line('{"asin": NaN}') is None


@given(st.binary(max_size=200))
def test_any_bytes_are_looked_at_without_harm(content: bytes) -> None:
    describe_shape(content)
    describe_shape(b"{" + content)
    has_objects(content.split(b"\n"))
