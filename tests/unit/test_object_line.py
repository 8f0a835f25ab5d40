"""A line of a dump is one object, whoever wrote it; what is none says what it is instead."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_jobs.contracts.parsing.object_line import LineError, read_object, read_value, well_formed


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"asin": "B1", "new": true, "x": null}', {"asin": "B1", "new": True, "x": None}),
        ('\ufeff{"asin": "B1"}\r', {"asin": "B1"}),  # a byte order mark, and the end of a line from Windows
        ('{"price": NaN, "rank": -Infinity, "big": 1e999}', {"price": None, "rank": None, "big": None}),
        ('{"title": "Black\\/White"}', {"title": "Black/White"}),  # as PHP writes it; Python would keep the backslash
        ('{"title": "half \\ud83d, whole \\ud83d\\ude00"}', {"title": "half \ufffd, whole \U0001f600"}),
        ('{"title": "tab\there"}', {"title": "tab\there"}),
        ("{'title': \"Don't\", 'x': None, 'y': (1, 2.5)}", {"title": "Don't", "x": None, "y": [1, 2.5]}),
        ("{u'asin': u'B1', u'title': u\"Caf\\xe9 don't\"}", {"asin": "B1", "title": "Café don't"}),
        ("{'title': 'Caf\\xc3\\xa9', u'time': 1393545600L}", {"title": "Café", "time": 1393545600}),
        ("{'title': 'Café Ã©'}", {"title": "Café Ã©"}),  # not escaped: it says what it says
        ("{'price': nan, 'rank': -inf, 'new': true}", {"price": None, "rank": None, "new": True}),
        ("{'a': 1L, 'b': '12L'}", {"a": 1, "b": "12L"}),
        ("{'title': b'Caf\\xc3\\xa9'}", {"title": "Café"}),
        ("{'title': '\\ud83d\\ude00'}", {"title": "\U0001f600"}),
    ],
)  # fmt: skip
def test_an_object_is_read(line: str, expected: dict[str, Any]) -> None:
    assert read_object(line) == expected


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"asin": "B1"', "not JSON: Expecting ',' delimiter at character 14"),
        ('{"asin": "B1"} {"asin": "B2"}', "not JSON: Extra data at character 16"),
        ("[1, 2]", r"an array, not one object: '\[1, 2\]'"),
        ("null", "null, not one object"),
        ('"asin"', "a string, not one object"),
        ("12", "a number, not one object"),
        ("__import__('os').system('true')", "__import__.* is no plain value"),
        ("{'asin': open('/etc/passwd').read()}", r"open\(.* is no plain value"),
        ("{'at': datetime.datetime(2014, 3, 1)}", r"datetime.datetime\(2014, 3, 1\).* is no plain value"),
        ("{'asin': 'B1'", "not JSON"),
        ("{'asin': {1, 2}}", "is no plain value"),
        ("{'asin': name}", "is no plain value"),
        ("{[]: 1}", "a field whose name is no text"),
        ("{**x}", "a field whose name is no text"),
        ("(" * 10_000, "not JSON"),
        ("-" * 10_000 + "1", "not JSON|too deep"),
        ("[" * 100_000, "too deep"),
        ('{"a": ' * 100_000, "too deep"),
        ("", "not JSON"),
    ],
)
def test_what_is_no_object_says_what_it_is(line: str, says: str) -> None:
    with pytest.raises(LineError, match=says):
        read_object(line)


def test_a_number_of_a_million_digits_costs_nothing_but_itself() -> None:
    assert read_object('{"asin": "B1", "rank": ' + "9" * 1_000_000 + "}") == {"asin": "B1", "rank": None}


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(st.dictionaries(st.text(), VALUES))
def test_json_and_python_say_the_same(value: dict[str, Any]) -> None:
    assert read_object(json.dumps(value)) == value
    assert read_object(json.dumps(value, ensure_ascii=False)) == value
    assert read_object(repr(value)) == value


@given(st.dictionaries(st.text(), st.text(alphabet=st.characters(max_codepoint=0xFFFF, exclude_categories=()))))
def test_what_is_read_can_be_written(value: dict[str, str]) -> None:
    """Halves of surrogate pairs, as `json.dumps` writes them, become something that UTF-8 has."""
    read = read_object(json.dumps(value))
    assert read == well_formed(value)
    json.dumps(read, ensure_ascii=False).encode()


@given(st.lists(st.floats() | st.text()))
def test_no_float_that_is_none_is_left(values: list[float | str]) -> None:
    for text in (json.dumps(values), repr(values)):
        assert all(math.isfinite(value) for value in read_value(text) if isinstance(value, float))
