"""The blocklist: what an operator writes is what nobody is shown, and a slip of the pen is told by file and line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import ITEMS
from recsys_jobs.lake import delta
from recsys_jobs.publishing import blocklist
from recsys_jobs.publishing.blocklist import Blocklist, blocked_mask, brand_key, parse_blocklist

FILE = Path("/lake/blocklist.csv")
DAY = date(2024, 1, 2)


def test_items_brands_notes_and_reasons() -> None:
    text = 'kind,value,reason\n# recalls\nitem, B1 ,recalled\n\nbrand,ACME,\nbrand,"Smith, Sons"\n'
    assert parse_blocklist(text, FILE) == Blocklist(frozenset({"B1"}), frozenset({"acme", "smith, sons"}))


@pytest.mark.parametrize(
    "typed",
    [
        "Salt & Sons", "salt & sons", "SALT & SONS", "Salt &amp; Sons", " Salt  &\u00a0Sons ", "Salt & Son\u200bs",
        "\uff33alt & Sons", "<b>Salt</b> &#38; Sons",
    ],
)  # fmt: skip
def test_a_brand_is_what_people_type(typed: str) -> None:
    """Also against a catalogue that entered before entities were read at ingest."""
    assert brand_key(typed) == brand_key("Salt &amp; Sons") == brand_key("Salt & Sons")
    assert brand_key("L’Oréal – Paris") == brand_key("L'Oréal - paris") == brand_key("L'Ore\u0301al - Paris")
    assert brand_key("Salt & Sons") != brand_key("Salt Sons")


def test_an_empty_file_blocks_nothing() -> None:
    assert parse_blocklist("", FILE) == parse_blocklist("kind,value\n", FILE) == Blocklist()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("B1\nB2\n", "line 1: the first line must be kind,value or kind,value,reason, not 'B1'"),
        ("kind,value\nitem,B1\nseller,Acme\n", "line 3: 'seller' is no kind: write item or brand"),
        ("kind,value\n\nitem,\n", "line 3: no item is named"),
        ("kind,value\nbrand,<br>\n", "line 2: no brand is named"),
        ("kind,value\nitem\n", "line 2: 1 cells where 2 to 2 belong"),
        ("kind,value,reason\nbrand,Smith, Sons,why\n", "line 2: 4 cells where 2 to 3 belong; quote a value"),
    ],
)
def test_a_bad_line_is_told_by_file_and_line(text: str, says: str) -> None:
    with pytest.raises(JobError) as caught:
        parse_blocklist(text, FILE)
    assert str(caught.value).startswith(f"{FILE}, {says}")


def test_a_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path))
    assert blocklist.load_blocklist() == Blocklist()
    monkeypatch.setenv("RECSYS_BLOCKLIST", str(tmp_path / "gone.csv"))
    with pytest.raises(JobError, match="gone.csv cannot be read"):
        blocklist.load_blocklist()


def test_items_and_brands_are_blocked_however_the_catalogue_spells_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A lake from before entities were read at ingest; an id in the other case; a brand that is nearly one."""
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path))
    brands = {"B1": "Salt &amp; Sons", "B2": "salt & sons", "B3": "Acme", "B4": None, "B5": "Pepper and Co"}
    rows = [
        {"dataset": "shop", "item_id": item, "item_hash": item, "brand": brand, "path": ""}
        for item, brand in brands.items()
    ]
    write_deltalake(tmp_path / ITEMS.name, pa.Table.from_pylist(rows, delta.arrow_schema(ITEMS)))
    (tmp_path / "blocklist.csv").write_text("kind,value\nbrand,Salt & Sons\nbrand,Pepper & Co\nitem,b4\nitem,B9\n")
    assert blocked_mask(DAY, list(brands)).tolist() == [True, True, False, True, False]
    assert "names 1 items that are not eligible on 2024-01-02: B9" in caplog.text
    assert "brand 'pepper & co': items are shown of 'Pepper and Co'" in caplog.text
