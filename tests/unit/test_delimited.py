"""CSV in whatever dialect: each cell under its name, or the file and the line on which that fails."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.readers.delimited import read_delimited

FILE = Path("/data/item_info.csv")


def read(text: str, *needs: str) -> list[list[str]]:
    return read_delimited(FILE, text, needs).to_numpy().tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('id,title\na,"Pan, iron"\n', [["a", "Pan, iron"]]),
        ('id,title\na,"2"" pipe"\n', [["a", '2" pipe']]),
        ('id,title\na,"pipe 2\\" wide, long"\n', [["a", 'pipe 2" wide, long']]),
        ('id,title\na,"seam 0\\" wide"\nb,plain\n', [["a", 'seam 0" wide'], ["b", "plain"]]),
        ('id,title\na,pipe 2\\" wide\n', [["a", 'pipe 2" wide']]),
        ("id,title\na,Pan\\, iron\n", [["a", "Pan, iron"]]),
        ('id,title\na,"C:\\dir\\"\n', [["a", "C:\\dir\\"]]),  # a backslash that escapes nothing
        ('id,title\na,"5 inch pan\nb,"8 inch pan\nc,cup\n', [["a", '"5 inch pan'], ["b", '"8 inch pan'], ["c", "cup"]]),
        ('id,title\na,pipe 8" wide\n', [["a", 'pipe 8" wide']]),
        ('id,title\na,"two\nlines"\nb,c\n', [["a", "two\nlines"], ["b", "c"]]),
        ('id, title\na, "Pan, iron"\n', [["a", "Pan, iron"]]),
        ("id,title,\na,b,\n", [["a", "b"]]),
        ("id,title\na,b,\nc,d,\n", [["a", "b"], ["c", "d"]]),
        ("id,title,\na,b\nc,d\n", [["a", "b"], ["c", "d"]]),
        ("id,title\r\na,b\r\n\r\n,\r\nc,d", [["a", "b"], ["c", "d"]]),
        ("id,title\ra,b\rc,d\r", [["a", "b"], ["c", "d"]]),
        ("id;title\na;1,5\n", [["a", "1,5"]]),
        ('id\ttitle\na\t"quoted\nb\tc\n', [["a", '"quoted'], ["b", "c"]]),
        ('id\ttitle\na\t"two\twords"\n', [["a", "two\twords"]]),
        ('"id","title"\n"007","1.0"\n', [["007", "1.0"]]),
        ("id,title\n1.0,\n", [["1.0", ""]]),
        ("id,title\n", []),
    ],
)
def test_each_cell_is_under_its_name(text: str, rows: list[list[str]]) -> None:
    assert read(text, "id", "title") == rows


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "id,title\na,b\nc,Pan, iron\n",
            r"item_info.csv, line 3: 3 cells where the header has 2 \(c \| Pan \|  ?iron\)",
        ),
        ("id,title,price\na,b,1\nc,d\n", r"item_info.csv, line 3: 2 cells where the header has 3"),
        ("id,title,price\na,Pan, iron,\nb,Cup,2\n", "line 2: 4 cells where the header has 3"),  # not moved by one
        ("id,title\na,b,\nc,d\n", "line 2: 3 cells where the header has 2"),  # a habit is one of the whole file
        ('id,title\na,"Pan, iron"\nb,"5 inch\nc,d\n', "line 3: no CSV: unexpected end of data"),
        ('id,title\na,"Pan, iron"\nb,"5" pan\nc,d\n', "line 3: no CSV"),
        ('id,title\na,"5 inch\nb,8"\nc,d\n', "line 2: the quote that opens a cell here closes on a later line"),
        ("title,name\na,b\n", "no column id: its header is title, name"),
        ("id,title,title\na,b,c\n", "two columns are called title"),
        ("id,title\na,b\n id,title\nc,d\n", "line 3: the header again, as where two files were joined"),
        ("", "item_info.csv: empty"),
        ("\n\n", "item_info.csv: empty"),
    ],
)
def test_what_does_not_come_out_right_is_named(text: str, says: str) -> None:
    with pytest.raises(JobError, match=says):
        read(text, "id")


def test_the_index_is_the_line_that_a_record_begins_on() -> None:
    frame = read_delimited(FILE, 'id,title\n\na,"two\nlines"\nb,c\n', ("id",))
    assert frame.index.tolist() == [3, 5]


DOUBLED: dict[str, Any] = {}
BACKSLASH: dict[str, Any] = {"doublequote": False, "escapechar": "\\", "quoting": csv.QUOTE_ALL}
CELL = st.text(alphabet='ab"\\, ;\n', max_size=8)
ROWS = st.lists(st.tuples(st.text(alphabet="abc", min_size=1), CELL, CELL), min_size=1, max_size=6)


def written(rows: list[tuple[str, ...]], dialect: dict[str, Any]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n", **dialect).writerows([("id", "title", "text"), *rows])
    return file.getvalue()


@given(ROWS)
def test_quotes_that_are_doubled_are_read_back_or_refused(rows: list[tuple[str, ...]]) -> None:
    """Never a cell under another's name; leading blanks of a cell do not count, nor does a record of blanks."""
    assume(not any('\\"' in cell for row in rows for cell in row))
    try:
        found = read(written(rows, DOUBLED), "id")
        assert [[cell.lstrip(" ") for cell in row] for row in found] == [
            [cell.lstrip(" ") for cell in row] for row in rows
        ]
    except JobError as error:
        assert "closes on a later line" in str(error)


@given(ROWS)
def test_quotes_behind_a_backslash_are_read_back_or_refused(rows: list[tuple[str, ...]]) -> None:
    assume(any('"' in cell for row in rows for cell in row))
    text = written(rows, BACKSLASH)
    try:
        found = read(text, "id")
    except JobError:
        return
    assert found == [list(row) for row in rows]


@given(st.lists(st.lists(st.text(alphabet="ab 1", max_size=4), min_size=1, max_size=5), min_size=1, max_size=5))
def test_lines_of_another_length_never_pass_as_the_headers(rows: list[list[str]]) -> None:
    text = "id,title\n" + "".join(f"x,{','.join(row)}\n" for row in rows)
    trailing = all(len(row) == 2 and not row[-1].strip() for row in rows)
    if all(len(row) == 1 for row in rows) or trailing:
        assert [cells[0] for cells in read(text, "id")] == ["x"] * len(rows)
    else:
        with pytest.raises(JobError, match=r"line \d+: \d cells where the header has 2"):
            read(text, "id")
