"""Vectors by encoder: made beforehand, counted, listed, dropped; the store is the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recsys_jobs.commands import embeddings
from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.data.readers import csv_folder
from recsys_jobs.exam.photos import shared_lake
from recsys_jobs.operations.storage import compute, drop, listing
from recsys_jobs.operations.storage.listing import StoredVectors
from tests.unit.test_exam_data import put
from tests.unit.test_exam_vectors import encoded

__all__ = ["encoded"]  # a fixture: the store is real, the encoder gives a text's length
TEXT = StoredVectors("sentence-transformers/all-MiniLM-L6-v2@ab/clean1/float32", "text", 2, 3, 100)
IMAGE = StoredVectors("microsoft/resnet-50@cd/processor/float32", "image", 2, 1, 50)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return put(
        tmp_path / "shop",
        item_info__csv="item_id,title,price\na,cup,1\nb,plate,2\nc,pan,3\nd,cup,\n",
        interactions__csv="user_id,item_id\nu,a\nu,b\n",
    )


def test_what_is_made_beforehand_is_counted_and_reused(
    shop: Path, encoded: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    said = [
        "text: 2 encoded, 0 reused, 0 unreadable, text-lengths",
        "text: 1 encoded, 2 reused, 0 unreadable, text-lengths",
        "text: 0 encoded, 3 reused, 0 unreadable, text-lengths",
        "text: 3 encoded, 0 reused, 0 unreadable, text-lengths",
    ]
    for line, (limit, force) in zip(said, [(2, False), (None, False), (None, False), (None, True)], strict=True):
        compute.compute(shop, None, "", limit, force)
        assert line in capsys.readouterr().out.splitlines()
    assert [found[:1] + found[2:4] for found in listing.stored_vectors(shared_lake())] == [("text-lengths", 2, 3)]
    listing.show(None)
    assert "text-lengths" in capsys.readouterr().out


def test_dropped_vectors_are_gone_and_can_be_made_again(
    shop: Path, encoded: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECSYS_LAKE", str(shared_lake()))
    compute.compute(shop, None, "", None, False)
    with pytest.raises(UsageError, match="has no vectors of none: text-lengths"):
        drop.drop("none", None, lambda question: True)
    drop.drop("", None, lambda question: False)
    assert len(listing.stored_vectors(shared_lake())) == 1
    drop.drop("text-lengths", None, lambda question: pytest.fail("only nights are asked about"))
    assert "dropped 3 vectors of 1 encoders" in capsys.readouterr().out
    assert listing.stored_vectors(shared_lake()) == []
    compute.compute(shop, None, "", None, False)
    assert len(encoded) == 6


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("", [TEXT, IMAGE]),
        (TEXT.encoder, [TEXT]),
        ("sentence-bert", [TEXT]),
        ("microsoft/resnet-50", [IMAGE]),
        ("resnet_sentence-bert", [TEXT, IMAGE]),
        ("clip_sentence-bert", [TEXT]),
        ("clip", []),
    ],
)
def test_an_encoder_is_named_as_listed_by_its_label_or_by_a_pair(name: str, meant: list[StoredVectors]) -> None:
    assert drop.matching([TEXT, IMAGE], name) == meant


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert embeddings.confirmed("All?", yes=True)
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: PTH123, SIM115
    with pytest.raises(UsageError, match="say --yes"):
        embeddings.confirmed("All?", yes=False)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("item_id,views\na,1\nb,2\n", "item_info.csv: no column price, which numeric_columns names"),
        ("item_id,price\na,1\nb,cheap\n", "item_info.csv, line 3: price is 'cheap': that is no number"),
        ("item_id,price\na,\nb, \n", "item_info.csv, lines 2 to 3: column price is blank in all"),
        ("item_id,price\na,5\nb,5\n", "item_info.csv, lines 2 to 3: column price is 5 in all"),
    ],
)
def test_a_named_column_that_tells_nothing_is_said(tmp_path: Path, table: str, said: str) -> None:
    put(tmp_path, item_info__csv=table, interactions__csv="user_id,item_id\nu,a\n")
    with pytest.raises(JobError, match=said):
        csv_folder.read(tmp_path, ("price",))


def test_the_named_columns_alone_are_read(tmp_path: Path) -> None:
    put(tmp_path, item_info__csv="item_id,price,year\na,1,1999\nb,2,2000\n", interactions__csv="user_id,item_id\nu,a\n")
    assert csv_folder.read(tmp_path, ("year",)).metadata_I[1].numbers == (2000.0,)
    assert csv_folder.read(tmp_path).number_names == ("price", "year")
