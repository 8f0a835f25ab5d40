"""Titles, brands and labels read as a person would read them on the page, and page code is no text."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_jobs.contracts.parsing.plain_text import plain_text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Salt &amp; Sons", "Salt & Sons"),
        ("Salt &amp;amp; Sons", "Salt & Sons"),
        ("Salt &#38; Sons, Caf&#xE9;", "Salt & Sons, Café"),
        ("Salt &AMP; Sons &amp more", "Salt & Sons & more"),
        ("AT&T, R&D, Q&copyright=1", "AT&T, R&D, Q&copyright=1"),
        ("5 &quot;inch&quot; &lt;3", '5 "inch" <3'),
        ('<span class="a-size-large">Cup &nbsp; of tea</span>', "Cup of tea"),
        ("&lt;b&gt;Bold&lt;/b&gt; cup", "Bold cup"),
        ('Cup <span class="a-si', "Cup"),
        ("<script>var x = 1;</script>Cup", "Cup"),
        ("<!-- hidden -->Cup", "Cup"),
        ("a < b and c > d, I <3 it", "a < b and c > d, I <3 it"),
        ("  two\n\tlines\x00\x07 ", "two lines"),
        ("&unknown; &;", "&unknown; &;"),
        ("", ""),
        ("</span></span></span>", ""),
    ],
)
def test_text_is_as_a_page_shows_it(raw: str, expected: str) -> None:
    assert plain_text(raw) == expected


@pytest.mark.parametrize(
    "code",
    [
        "var aPageStart = (new Date()).getTime();",
        "var ue_t0=ue_t0||+new Date();",
        "let x = 1;",
        "if (window.ue) { ue('x'); }",
        "(function(f) { f(); })(this);",
        "(() => { run(); })()",
        "P.when('A').execute(function(A) { A.on(); });",
        "jQuery.noConflict(); $('#x').hide()",
        "$(document).ready(go)",
        "document.getElementById('x')",
        "window.location = '/x'",
        ".a-box-inner{background-color:#fff}#aloha .selected{background-color:#fffbf3;border-color:#e77600}",
        "#div { color: red; }",
        "body{margin:0}",
        "@media screen { a { color: red } }",
        "<script>var x = 1",
        "//<![CDATA[\nvar x = 1;\n//]]>",
    ],
)
def test_page_code_is_no_text(code: str) -> None:
    assert plain_text(code) == ""


@pytest.mark.parametrize(
    "title",
    [
        "Hustler's P.O.M.E. (Deluxe Edition)",
        "E.P. (Remastered)",
        "Variations (var. 2) = Op. 35",
        "JavaScript: The Good Parts",
        "The Function of Form (2nd edition)",
        "Let x equal y",
        "If (You Leave Me Now)",
        "{Curly} & [Square]",
        "C# in Depth @ Work",
        "Windows 7 (x64) = new",
        "Set: 3 cups {blue}",
    ],
)
def test_titles_that_look_like_code_stay(title: str) -> None:
    assert plain_text(title) == title


@given(st.text())
def test_what_is_plain_stays(raw: str) -> None:
    assert plain_text(plain_text(raw)) == plain_text(raw)


@given(
    st.lists(st.sampled_from(["&", "amp;", "&lt;", "<b>", "</b>", "<", ">", "x", " ", "&#38;", "#60;", "quot;", "="]))
)
def test_what_is_plain_stays_however_it_was_escaped(parts: list[str]) -> None:
    assert plain_text(plain_text("".join(parts))) == plain_text("".join(parts))


@given(
    st.text(alphabet=st.characters(categories=("L", "N", "P", "S"), exclude_characters="<>&{}()=@$")), st.integers(1, 3)
)
def test_escaping_changes_nothing(text: str, times: int) -> None:
    escaped = text
    for _ in range(times):
        escaped = html.escape(escaped)
    assert plain_text(escaped) == plain_text(text)
