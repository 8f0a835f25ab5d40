"""Dumps are known by their fields; Python literals are read as data, never run."""

from __future__ import annotations

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark.formats import Format, literal_to_json, recognise

REVIEW_2014 = b'{"reviewerID": "A1", "asin": "B1", "helpful": [0, 0], "overall": 5.0, "unixReviewTime": 1000000000}'
REVIEW_2018 = b'{"overall": 5.0, "verified": true, "reviewerID": "A1", "asin": "B1", "unixReviewTime": 1000000000}'
REVIEW_2023 = b'{"rating": 4.0, "title": "t", "parent_asin": "B1", "user_id": "A1", "timestamp": 1627679830425}'
ITEM_2014 = b"{'asin': 'B1', 'title': 'A title', 'imUrl': 'http://x/y.jpg', 'related': {'also_bought': ['B2']}}"
ITEM_2018 = b'{"asin": "B1", "category": ["Music"], "also_buy": [], "title": "A title", "image": []}'
ITEM_2023 = b'{"parent_asin": "B1", "main_category": "Music", "store": null, "title": "A title"}'


@pytest.mark.parametrize(
    ("line", "kind", "expected"),
    [
        (REVIEW_2014, "reviews", Format("amazon2014", literal=False)),
        (REVIEW_2018, "reviews", Format("amazon2018", literal=False)),
        (REVIEW_2023, "reviews", Format("amazon2023", literal=False)),
        (ITEM_2014, "items", Format("amazon2014", literal=True)),
        (ITEM_2018, "items", Format("amazon2018", literal=False)),
        (ITEM_2023, "items", Format("amazon2023", literal=False)),
        (ITEM_2023, "reviews", None),  # in the wrong folder
        (REVIEW_2023, "items", None),
        (REVIEW_2014, "items", None),
        (b'{"name": "Berlin"}', "items", None),
        (b"\x00\xff not text", "reviews", None),
    ],
)
def test_line_tells_its_format(line: bytes, kind: str, expected: Format | None) -> None:
    assert recognise([line], kind) == expected


def test_broken_first_lines_do_not_hide_the_format() -> None:
    assert recognise([b"#!", b'{"a"', REVIEW_2014, REVIEW_2014], "reviews") == Format("amazon2014", literal=False)


def test_line_that_is_cut_off_still_tells() -> None:
    assert recognise([REVIEW_2014[:80]], "reviews") == Format("amazon2014", literal=False)


def test_literal_becomes_json() -> None:
    line = """{'asin': 'B1', 'title': "Don't", 'price': 9.49, 'categories': [['A', 'B']], 'new': True, 'x': None}"""
    assert json.loads(str(literal_to_json(line))) == {
        "asin": "B1",
        "title": "Don't",
        "price": 9.49,
        "categories": [["A", "B"]],
        "new": True,
        "x": None,
    }


def test_json_among_literals_stays() -> None:
    assert literal_to_json('{"asin": "B1", "new": true}') == '{"asin": "B1", "new": true}'


@pytest.mark.parametrize(
    "line",
    [
        "__import__('os').system('true')",
        "{'asin': open('/etc/passwd').read()}",
        "{'asin': 'B1'",
        "{'asin': {1, 2}}",
        "{'asin': 1e999}",
        "{[]: 1}",
        "(" * 10_000,
        "-" * 10_000 + "1",
        "",
    ],
)
def test_what_is_no_plain_literal_is_none(line: str) -> None:
    assert literal_to_json(line) is None


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())))
def test_any_literal_keeps_its_values(value: dict[str, object]) -> None:
    assert json.loads(str(literal_to_json(repr(value)))) == ast.literal_eval(repr(value))
