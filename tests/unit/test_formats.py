"""Dumps are known by the fields of their lines, not by names that stand somewhere in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark.formats import detect_format, field_names

REVIEW_2014 = b'{"reviewerID": "A1", "asin": "B1", "helpful": [0, 0], "overall": 5.0, "unixReviewTime": 1000000000}'
REVIEW_2018 = b'{"overall": 5.0, "verified": true, "reviewerID": "A1", "asin": "B1", "unixReviewTime": 1000000000}'
REVIEW_2023 = b'{"rating": 4.0, "title": "t", "parent_asin": "B1", "user_id": "A1", "timestamp": 1627679830425}'
EARLY_2023 = b'{"rating": 4.0, "asin": "B1", "parent_asin": "B1", "user_id": "A1", "sort_timestamp": 1627679830425}'
ITEM_2014 = b"{'asin': 'B1', 'title': 'A title', 'imUrl': 'http://x/y.jpg', 'related': {'also_bought': ['B2']}}"
ITEM_2018 = b'{"asin": "B1", "category": ["Music"], "also_buy": [], "title": "A title", "image": []}'
ITEM_2023 = b'{"parent_asin": "B1", "main_category": "Music", "store": null, "title": "A title"}'
WITH_VIDEOS = b'{"parent_asin": "B1", "title": "A title", "videos": {"title": [], "url": [], "user_id": ["A1"]}}'
ABOUT_REVIEWS = b'{"asin": "B1", "description": "\\"overall\\": 5, {\\"reviewText\\": 1}", "imUrl": ""}'
WITH_REVIEWERS = (
    b'{"asin": "B1", "imUrl": "", "related": {"category": ["x"]}, "top": [{"reviewerID": "A1", "overall": 5}]}'
)


@pytest.mark.parametrize(
    ("line", "kind", "expected"),
    [
        (REVIEW_2014, "reviews", "amazon2014"),
        (REVIEW_2018, "reviews", "amazon2018"),
        (REVIEW_2023, "reviews", "amazon2023"),
        (EARLY_2023, "reviews", "amazon2023"),
        (ITEM_2014, "items", "amazon2014"),
        (ITEM_2018, "items", "amazon2018"),
        (ITEM_2023, "items", "amazon2023"),
        (WITH_VIDEOS, "items", "amazon2023"),
        (ABOUT_REVIEWS, "items", "amazon2014"),
        (WITH_REVIEWERS, "items", "amazon2014"),
        (b"\xef\xbb\xbf" + ITEM_2014 + b"\r", "items", "amazon2014"),
        (b"{u'asin': u'B1', u'title': u'x'}", "items", "amazon2014"),
        (b"{u'reviewerID': u'A1', u'asin': u'B1', u'overall': 5.0}", "reviews", "amazon2014"),
        (ITEM_2023, "reviews", None),  # in the wrong folder
        (REVIEW_2023, "items", None),
        (REVIEW_2014, "items", None),
        (b"[" + ITEM_2014 + b"]", "items", None),
        (b'{"name": "Berlin"}', "items", None),
        (b"\x00\xff not text", "reviews", None),
    ],
)
def test_line_tells_its_format(line: bytes, kind: str, expected: str | None) -> None:
    assert detect_format([line], kind) == expected


def test_broken_first_lines_do_not_hide_the_format() -> None:
    assert detect_format([b"#!", b'{"a"', REVIEW_2014, REVIEW_2014], "reviews") == "amazon2014"


def test_line_that_is_cut_off_still_tells() -> None:
    assert detect_format([REVIEW_2014[:80]], "reviews") == "amazon2014"


VALUES = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = st.text(alphabet="abcu_{}[]:'", min_size=1, max_size=8)


@given(st.dictionaries(NAMES, VALUES))
def test_the_names_are_those_of_the_line_itself(fields: dict[str, Any]) -> None:
    assert field_names(json.dumps(fields, ensure_ascii=False).encode()) == set(fields)
