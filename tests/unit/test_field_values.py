"""Fields hold lists, texts that hold lists, and words for nothing: each is read whole or kept as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_jobs.contracts.parsing.field_values import as_ids, as_price, as_text, as_texts, as_urls, is_absent

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        ([["a", "b"], ["c", ["d"]]], ["a", "b", "c", "d"]),
        ("['a', 'b']", ["a", "b"]),
        ('["a", "b"]', ["a", "b"]),
        ("[u'a', u'b']", ["a", "b"]),
        ("('a', 'b')", ["a", "b"]),
        ("[['a', 'b'], ['c']]", ["a", "b", "c"]),
        ("['a' 'b'\n 'c d']", ["a", "b", "c d"]),  # as numpy prints an array
        ("[\"Don't\" 'x']", ["Don't", "x"]),
        ("[nan, 'a', None, '']", ["a"]),
        ("[]", []),
        ("one text", ["one text"]),
        ("[2006] remastered from the tapes", ["[2006] remastered from the tapes"]),
        ('["Deluxe"] box', ['["Deluxe"] box']),
        ("[] nothing listed", ["[] nothing listed"]),
        ("[1, 2] and more", ["[1, 2] and more"]),
        ("[New] edition", ["[New] edition"]),
        ("[2006]", ["[2006]"]),  # numbers in brackets are no list of texts
        ("[Import]", ["[Import]"]),
        ("(Deluxe)", ["(Deluxe)"]),
        ("['a', 'b'", ["['a', 'b'"]),
        ("['a', 'b'] ['c']", ["['a', 'b'] ['c']"]),
        ("{'a': 'b'}", ["{'a': 'b'}"]),
        ("{curly}", ["{curly}"]),
        ([1.5, True, "x"], ["1.5", "true", "x"]),
        (None, []),
        (NAN, []),
        ("  ", []),
        ("None", []),
    ],
)
def test_texts(value: Any, expected: list[str]) -> None:
    assert as_texts(value) == expected


@given(st.lists(st.text(min_size=1).filter(lambda text: not is_absent(text)), min_size=1))
def test_a_list_reads_the_same_whatever_wrote_it(texts: list[str]) -> None:
    assert as_texts(texts) == texts
    assert as_texts(json.dumps(texts)) == texts
    assert as_texts(repr(texts)) == texts
    assert as_texts(repr(tuple(texts)) if len(texts) > 1 else texts) == texts


@given(st.sampled_from(["[1, 2]", '["a"]', "['a', 'b']", "[]", "{}", '{"a": 1}', "[None]"]), st.text(min_size=1))
def test_a_text_that_only_begins_with_a_list_is_kept(start: str, rest: str) -> None:
    text = f"{start} {rest}x"
    assert as_texts(text) == [text]


def test_a_list_is_one_text_a_line() -> None:
    assert as_text(["a", None, "b"]) == "a\nb"
    assert as_text({"a": 1}) == '{"a": 1}'
    assert as_text(12) == "12"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((["B2", "B3", "B2"], None), ["B2", "B3"]),
        (("['B2', 'B3']", '["B4"]'), ["B2", "B3", "B4"]),
        (("['B2' 'B3']",), ["B2", "B3"]),
        (("B2",), ["B2"]),
        (("B2, B3;B4|B5",), ["B2", "B3", "B4", "B5"]),
        (([123, "0456"],), ["123", "0456"]),
        (("[123, 456]",), ["123", "456"]),
        ((["../x", "B 2", "B2\n"],), ["B2"]),
        (("see also the other pages",), []),
        (({"a": ["B2"]},), []),
    ],
)
def test_ids(values: tuple[Any, ...], expected: list[str]) -> None:
    assert as_ids(*values) == expected


def picture(**sizes: Any) -> dict[str, Any]:
    return {"thumb": None, "large": None, "hi_res": None, "variant": "MAIN"} | sizes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://x/1.jpg", ["http://x/1.jpg"]),
        ("HTTPS://x/1.jpg", ["HTTPS://x/1.jpg"]),
        ("http://x/?a=1&amp;b=2", ["http://x/?a=1&b=2"]),
        (["http://x/1.jpg", "ftp://x/2.jpg", None, "http://x/1.jpg"], ["http://x/1.jpg"]),
        ("['http://x/1.jpg', 'http://x/2.jpg']", ["http://x/1.jpg", "http://x/2.jpg"]),
        ([picture(large="http://x/l", hi_res="http://x/h")], ["http://x/l"]),
        ([picture(large="", hi_res="http://x/h")], ["http://x/h"]),
        ([picture(large="None", hi_res=" ", thumb="http://x/t")], ["http://x/t"]),
        ([picture(large=NAN, thumb="http://x/t"), "http://x/2"], ["http://x/t", "http://x/2"]),
        (picture(large="http://x/l"), ["http://x/l"]),
        (picture(large=["http://x/l", None], hi_res=[None, "http://x/h"], thumb=["t", "t"]), ["http://x/l", "http://x/h"]),
        (picture(large=[None], thumb=["http://x/t"]), ["http://x/t"]),
        (picture(large=[], thumb=["http://x/t"]), ["http://x/t"]),
        (picture(large="['http://x/l']", thumb="['http://x/t']"), ["http://x/l"]),
        (repr([picture(large="http://x/l"), picture(thumb="http://x/t")]), ["http://x/l", "http://x/t"]),
        (json.dumps(picture(large=["http://x/l"])), ["http://x/l"]),
        ("[{'large': 'http://x/1'}\n {'large': 'http://x/2'}]", ["http://x/1", "http://x/2"]),
        (None, []),
        ({}, []),
        (7, []),
    ],
)  # fmt: skip
def test_urls(value: Any, expected: list[str]) -> None:
    assert as_urls(value) == expected


URLS = st.integers(0, 9).map("http://x/{}.jpg".format)
SIZE = st.sampled_from([None, "", "None", NAN]) | URLS


@given(st.lists(st.fixed_dictionaries({"large": SIZE, "hi_res": SIZE, "thumb": SIZE}), max_size=5))
def test_pictures_read_the_same_as_objects_and_as_columns(pictures: list[dict[str, Any]]) -> None:
    columns = {size: [one[size] for one in pictures] for size in ("large", "hi_res", "thumb")}
    assert as_urls(columns) == as_urls(pictures) == as_urls(json.dumps(pictures)) == as_urls(repr(columns))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12,99", 12.99), ("1.299,00", 1299.0), ("1,299.00", 1299.0), ("$1,5", 1.5), ("9,9", 9.9), ("1,2,3", None),
        ("12.99", 12.99), ("$1,234", 1234.0), ("1299", 1299.0), ("0,50", 0.5), ("0,500", None), ("1,2345", None),
        ("12,99 €", 12.99), ("€ 1 299,00", 1299.0), ("1'299.50", 1299.5), ("1.234.567", 1234567.0), ("1.234", None),
        ("US$ 5", 5.0), ("5 USD", 5.0), ("$5.99 - $12.99", None), ("from $5", None), (".a-box{}", None), ("-5", None),
        ("1 2", None), ("12.", None), ("", None), ("None", None), ("nan", None), (None, None), (NAN, None),
        (9.49, 9.49), (7, 7.0), (-1, None), (True, None), (["5"], None), ("1,299,00", None), ("1.299,000", None),
    ],
)  # fmt: skip
def test_prices(value: Any, expected: float | None) -> None:
    assert as_price(value) == expected


@given(st.integers(0, 10**9).map(lambda cents: cents / 100))
def test_a_price_reads_the_same_in_any_dress(price: float) -> None:
    american = f"{price:,.2f}"
    european = american.replace(",", " ").replace(".", ",").replace(" ", ".")
    spaced = american.replace(",", "\u00a0").replace(".", ",")
    assert [as_price(text) for text in (american, european, spaced, f"{price:.2f}", f"${american}")] == [price] * 5
