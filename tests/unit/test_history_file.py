"""A plain history file: ids, times, order, and what is said where a line is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys_jobs.commands.recommend.history_file import Line, known_items, read
from recsys_jobs.contracts.errors import UsageError

FEBRUARY_3 = 1_391_385_600


def written(folder: Path, text: str) -> Path:
    path = folder / "history.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_id_a_line_in_the_file_s_order(tmp_path: Path) -> None:
    found = read(written(tmp_path, "\ufeffcup\n\n  plate \nbowl"))
    assert found == [Line(1, "cup", -1), Line(3, "plate", -1), Line(4, "bowl", -1)]


def test_times_of_any_kind_give_the_order(tmp_path: Path) -> None:
    text = f"cup,2014-02-03T00:00:02\nplate\t2014-02-03 00:00:01\nbowl 2014-02-03\npot {FEBRUARY_3 + 4}\n"
    text += "pan 2014-02-03T02:00:03+02:00\n"
    found = read(written(tmp_path, text))
    assert [(line.item, line.time - FEBRUARY_3) for line in found] == [
        ("bowl", 0),
        ("plate", 1),
        ("cup", 2),
        ("pan", 3),
        ("pot", 4),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "history.txt: empty"),
        ("cup 2014-02-03\nplate\n", "line 2: no time, while other lines have one"),
        ("cup\nplate 2014-13-01\n", "line 2: '2014-13-01' is no time"),
        ("cup\nplate of tin\n", "line 2: 'of tin' is no time"),
        ("cup 1969-07-20\n", "line 1: '1969-07-20' is no time"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(written(tmp_path, text))


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "none.txt")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8 text"):
        read(tmp_path / "bytes.txt")


def test_ids_that_the_catalogue_does_not_have_keep_their_lines() -> None:
    lines = [Line(1, "cup", 5), Line(2, "dish", 6), Line(3, "bowl", 7)]
    history, unknown = known_items(lines, ["bowl", "cup"])
    assert (history.item_N.tolist(), history.time_N.tolist()) == ([1, 0], [5, 7])
    assert unknown == [Line(2, "dish", 6)]
