"""One pass over a file's bytes: fingerprint, lines, and whether its gzip stream is whole."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spark import integrity
from spark.integrity import Inspection, fingerprint, inspect


def _inspect(folder: Path, name: str, content: bytes) -> Inspection:
    path = folder / name
    path.write_bytes(content)
    return inspect(path)


def test_plain_file_is_counted_and_fingerprinted(tmp_path: Path) -> None:
    found = _inspect(tmp_path, "a.json", b'{"a": 1}\n\n{"b": 2}')
    assert (found.size, found.lines, found.problem) == (18, 3, None)
    assert found.fingerprint == hashlib.sha256(b'{"a": 1}\n\n{"b": 2}').hexdigest() == fingerprint(tmp_path / "a.json")
    assert found.head_lines() == [b'{"a": 1}', b'{"b": 2}']


def test_gzip_of_two_members_is_one_text(tmp_path: Path) -> None:
    found = _inspect(tmp_path, "a.json.gz", gzip.compress(b"one\ntw") + gzip.compress(b"o\nthree\n"))
    assert (found.lines, found.problem, found.head_lines()) == (3, None, [b"one", b"two", b"three"])


def test_file_of_no_bytes_has_no_lines(tmp_path: Path) -> None:
    for name in ("a.json", "a.json.gz"):
        found = _inspect(tmp_path, name, b"")
        assert (found.lines, found.problem, found.head_lines()) == (0, None, [])


def test_gzip_that_ends_early_says_after_which_line(tmp_path: Path) -> None:
    lines = b"".join(b'{"line": %d}\n' % n for n in range(10))
    whole = gzip.compress(lines)
    found = _inspect(tmp_path, "a.json.gz", whole[:-4])  # the checksum's second half is missing
    assert found.problem is not None
    assert "ends early: after line 10, 120 bytes into the text" in found.problem
    assert found.fingerprint == hashlib.sha256(whole[:-4]).hexdigest()


def test_damaged_gzip_is_a_problem(tmp_path: Path) -> None:
    damaged = bytearray(gzip.compress(b"text\n" * 100))
    damaged[-8] ^= 1  # a bit of the checksum
    assert "not a sound gzip stream" in str(_inspect(tmp_path, "a.json.gz", bytes(damaged)).problem)
    assert "not a sound" in str(_inspect(tmp_path, "c.json.gz", gzip.compress(b"a\n") + b"tail").problem)


@pytest.mark.parametrize("padding", [1, 511, 10_240, integrity.CHUNK - 1, 2 * integrity.CHUNK])
@pytest.mark.parametrize("members", [1, 2])
def test_zeros_behind_a_gzip_are_padding(tmp_path: Path, padding: int, members: int) -> None:
    packed = gzip.compress(b"one\n") * members
    found = _inspect(tmp_path, "a.json.gz", packed + bytes(padding))
    assert (found.lines, found.padding, found.problem) == (members, padding, None)
    assert found.size == len(packed) + padding


@pytest.mark.parametrize(
    "tail", [b"\0tail", bytes(600) + gzip.compress(b"x\n", mtime=0), bytes(integrity.CHUNK) + b"x"]
)
def test_anything_behind_the_zeros_is_damage(tmp_path: Path, tail: bytes) -> None:
    found = _inspect(tmp_path, "a.json.gz", gzip.compress(b"one\n") + tail)
    assert "zeros and then more bytes follow its gzip stream: after line 1" in str(found.problem)


def test_what_a_file_is_packed_with_is_told_by_its_bytes(tmp_path: Path) -> None:
    for name in ("a.json", "a.json.gz", "A.JSON.GZ"):
        plain = _inspect(tmp_path, name, b'{"a": 1}\n')
        packed = _inspect(tmp_path, name, gzip.compress(b'{"a": 1}\n'))
        assert (plain.zipped, packed.zipped) == (False, True)
        assert plain.head == packed.head == b'{"a": 1}\n'


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        (b'{"a": 1}\n{"b": "NaN or Infinity and {a}"}\n', True),
        (b'{"a": NaN}', False),
        (b'{"a":-Infinity}', False),
        (b'{"a": [NaN]}', False),
        (b'{"a": [1, NaN]}', False),
        (b"{'a': 1}", False),
        (b"{ u'a': 1}", False),
        (b'{u"a": 1}', False),
        (b'{"a": 1}\n\xef\xbb\xbf{"a": 1}', False),  # two files one behind the other
    ],
)
def test_what_sparks_parser_does_not_take_is_marked(
    tmp_path: Path, text: bytes, is_plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _inspect(tmp_path, "a.json", text).plain_json == is_plain
    monkeypatch.setattr(integrity, "CHUNK", 2)  # the mark is found wherever the pieces part
    assert _inspect(tmp_path, "a.json", text).plain_json == is_plain


def test_endless_line_is_a_problem_with_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrity, "MAX_LINE", 3 << 20)
    found = _inspect(tmp_path, "a.json", b"short\n" + b"x" * (5 << 20) + b"\n")
    assert found.problem == "line 2 is longer than 3 MiB"


def test_memory_does_not_grow_with_what_a_gzip_inflates_to(tmp_path: Path) -> None:
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b"\n" * 100_000_000, compresslevel=1))
    tracemalloc.start()
    found = inspect(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.lines == 100_000_000
    assert peak < 10_000_000


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(min_value=1, max_value=9))
def test_any_text_is_counted_the_same_zipped_or_not(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], level: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    text = b"\n".join(parts)
    assume(not text.startswith(integrity.GZIP))  # which says that it is packed
    plain = _inspect(folder, "a.json", text)
    zipped = _inspect(folder, "a.json.gz", gzip.compress(text, compresslevel=level))
    assert zipped.problem is None
    assert plain.lines == zipped.lines == text.count(b"\n") + (not text.endswith(b"\n") and text != b"")
