import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_jobs.embed.cleaning import MAX_CHARACTERS, clean


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("Blue mug\nHolds 300 ml", "Blue mug Holds 300 ml"),
        ("Great<br />sound&nbsp;&amp; build", "Great sound & build"),
        ("&lt;b&gt;Bold&lt;/b&gt; claim", "Bold claim"),
        ("<p class='x'>One</p><p>Two</p>", "One Two"),
        ("a < b and b > c", "a < b and b > c"),
        ("I <3 this &#9829;", "I <3 this ♥"),
        ("before<script>var x = '<b>';</script>after", "before after"),
        ("<STYLE type=a>p {}</STYLE ><!-- note -->text", "text"),
        ("<div><br></div>", ""),
        ("\n", ""),
        ("half a tag <a href='x", "half a tag <a href='x"),
    ],
)
def test_a_reader_sees_the_text_and_not_the_markup(raw: str, seen: str) -> None:
    assert clean(raw) == seen


@given(st.text())
def test_white_space_is_single_whatever_comes_in(raw: str) -> None:
    assert clean(raw) == " ".join(clean(raw).split())


@given(st.from_regex(r"[a-z0-9 ]*", fullmatch=True))
def test_plain_words_come_out_as_they_went_in(words: str) -> None:
    assert clean(words).split() == words.split()


def test_only_the_first_part_of_an_endless_text_is_read() -> None:
    assert len(clean("word " * 10_000_000)) < MAX_CHARACTERS


@pytest.mark.timeout(120)  # a regular expression that backtracks would take days, on whatever machine
@pytest.mark.parametrize("bait", ["<script>", "<!--", "<", "&", "<a", "<script a>"])
def test_hostile_markup_comes_to_an_end(bait: str) -> None:
    assert len(clean(bait * 100_000)) <= MAX_CHARACTERS
