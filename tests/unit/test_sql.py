"""SQL users see the published tables of one lake, read them, and reach nothing else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from recsys_jobs import lake
from recsys_jobs.errors import UsageError
from recsys_jobs.sql import query, show
from recsys_jobs.tables import ITEM_IMAGES, RECOMMENDATIONS, TABLES

OLD, NEW = date(2024, 1, 1), date(2024, 1, 2)


@pytest.fixture(autouse=True)
def a_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path / "shop"))
    for day in (NEW, OLD):
        rows = [(day, "ann", rank, f"i{rank}", 1.0 / rank, "m", 1, "f") for rank in (1, 2)]
        columns = dict(zip(RECOMMENDATIONS.names, map(list, zip(*rows, strict=True)), strict=True))
        lake.replace_date(RECOMMENDATIONS, day, pa.table(columns))


def test_the_latest_night_is_the_latest_date_not_the_last_written() -> None:
    assert query("select distinct run_date from recommendations_latest").fetchall() == [(NEW,)]


def test_every_published_table_answers_even_before_it_is_written() -> None:
    for table in TABLES.values():
        if table.published:
            assert query(f"select count(*) from {table.name}").fetchall()[0][0] >= 0  # noqa: S608


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    show("select user_id, rank, item_id from recommendations_latest order by rank", as_csv=True)
    assert capsys.readouterr().out == "user_id,rank,item_id\nann,1,i1\nann,2,i2\n"


@pytest.mark.parametrize(
    "statement",
    [
        "drop table recommendations",
        "delete from recommendations",
        "select 1; drop view recommendations_latest",
        "copy recommendations to '/tmp/out.csv'",
        "attach '/tmp/other.db'",
        "set enable_external_access = true",
        "install httpfs",
        "pragma database_list",
        "",
    ],
)
def test_only_a_select_is_taken(statement: str) -> None:
    with pytest.raises(UsageError, match="write one SELECT"):
        query(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from glob('/*')",
        "select * from parquet_scan('/tmp/x.parquet')",
        "select * from TABLES",  # a variable of the caller's is not a table
        "select nothing from recommendations",
    ],
)
def test_nothing_beyond_the_lake_is_read(statement: str) -> None:
    with pytest.raises(UsageError):
        query(statement).fetchall()


def test_a_table_that_was_merged_into_can_still_be_filtered() -> None:
    row = {"item_id": "i1", "source": "a.jpg", "state": "unreachable"}
    for state in ("unreachable", "ok"):  # the second replaces the first: delta-rs rewrites the file
        rows = [row | {"state": state, "checked_on": NEW}, row | {"item_id": "i2", "checked_on": NEW}]
        lake.upsert(ITEM_IMAGES, pa.Table.from_pylist(rows, lake.arrow_schema(ITEM_IMAGES)))
    assert query("select state from item_images where item_id = 'i1'").fetchall() == [("ok",)]
    assert lake.read(ITEM_IMAGES, pc.field("item_id") == "i2", ["state"])["state"].to_pylist() == ["unreachable"]
