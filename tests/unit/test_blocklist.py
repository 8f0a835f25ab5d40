"""The blocklist: what an operator writes is what nobody is shown, and a slip of the pen is told by file and line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from recsys_jobs import blocklist
from recsys_jobs.blocklist import Blocklist, parse
from recsys_jobs.errors import JobError

FILE = Path("/lake/blocklist.csv")
DAY = date(2024, 1, 2)


def test_items_brands_notes_and_reasons() -> None:
    text = 'kind,value,reason\n# recalls\nitem, B1 ,recalled\n\nbrand,ACME,\nbrand,"Smith, Sons"\n'
    assert parse(text, FILE) == Blocklist(frozenset({"B1"}), frozenset({"acme", "smith, sons"}))


def test_an_empty_file_blocks_nothing() -> None:
    assert parse("", FILE) == parse("kind,value\n", FILE) == Blocklist()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("B1\nB2\n", "line 1: the first line must be kind,value or kind,value,reason, not 'B1'"),
        ("kind,value\nitem,B1\nseller,Acme\n", "line 3: 'seller' is no kind: write item or brand"),
        ("kind,value\n\nitem,\n", "line 3: no item is named"),
        ("kind,value\nitem\n", "line 2: 1 cells where 2 to 2 belong"),
        ("kind,value,reason\nbrand,Smith, Sons,why\n", "line 2: 4 cells where 2 to 3 belong; quote a value"),
    ],
)
def test_a_bad_line_is_told_by_file_and_line(text: str, says: str) -> None:
    with pytest.raises(JobError) as caught:
        parse(text, FILE)
    assert str(caught.value).startswith(f"{FILE}, {says}")


def test_a_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path))
    assert blocklist.load_blocklist() == Blocklist()
    monkeypatch.setenv("RECSYS_BLOCKLIST", str(tmp_path / "gone.csv"))
    with pytest.raises(JobError, match="gone.csv cannot be read"):
        blocklist.load_blocklist()
