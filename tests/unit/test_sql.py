"""SQL users see the published tables of one lake, read them, and reach nothing else."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.tables import ITEM_IMAGES, RECOMMENDATIONS, TABLES
from recsys_jobs.lake import delta
from recsys_jobs.lake.sql import print_csv, query, show

OLD, NEW = date(2024, 1, 1), date(2024, 1, 2)


@pytest.fixture(autouse=True)
def a_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path / "shop"))
    for day in (NEW, OLD):
        rows = [(day, "ann", rank, f"i{rank}", 1.0 / rank, "m", 1, "f") for rank in (1, 2)]
        columns = dict(zip(RECOMMENDATIONS.names, map(list, zip(*rows, strict=True)), strict=True))
        delta.replace_date(RECOMMENDATIONS, day, pa.table(columns))


def test_the_latest_night_is_the_latest_date_not_the_last_written() -> None:
    assert query("select distinct run_date from recommendations_latest").fetchall() == [(NEW,)]


def test_every_published_table_answers_even_before_it_is_written() -> None:
    for table in TABLES.values():
        if table.published:
            assert query(f"select count(*) from {table.name}").fetchall()[0][0] >= 0  # noqa: S608


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    show("select user_id, rank, item_id from recommendations_latest order by rank", as_csv=True)
    assert capsys.readouterr().out == "user_id,rank,item_id\nann,1,i1\nann,2,i2\n"


def printed_csv(text: str, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    show(text, as_csv=True)
    return list(csv.reader(io.StringIO(capsys.readouterr().out)))


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("sum(9007199254740993) from range(2)", "18014398509481986"),
        ("case when false then 20 end", ""),
        ("count(*) from range(20)", "20"),
        ("9007199254740993::decimal(18, 0)", "9007199254740993"),
        ("12345678901234567.89::decimal(20, 2)", "12345678901234567.89"),
        ("170141183460469231731687303715884105727::hugeint", "170141183460469231731687303715884105727"),
        ("0.1::float", "0.1"),
        ("true", "true"),
        ("date '2014-03-01'", "2014-03-01"),
        ("timestamp '2014-03-01 10:00:00.5'", "2014-03-01 10:00:00.5"),
        ("''", ""),
        ("'a, \"b\"\nc'", 'a, "b"\nc'),
    ],
)
def test_a_cell_keeps_what_it_holds(value: str, cell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed_csv(f"select {value}", capsys)[1:] == [[cell]]  # noqa: S608


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("['a, b', null, 'c\"d']", ["a, b", None, 'c"d']),
        ("[]::int[]", []),
        ("list(i) from range(1440) t(i)", list(range(1440))),
        ("[[1], [2, 3]]", [[1], [2, 3]]),
        ("{'a': 1, 'b': ['x']}", {"a": 1, "b": ["x"]}),
        ("map {'k': 9007199254740993}", {"k": 9007199254740993}),
        ("[{'day': date '2014-03-01'}]", [{"day": "2014-03-01"}]),
        ("array_value(1, 2)", [1, 2]),
    ],
)
def test_what_is_nested_is_json(value: str, expected: object, capsys: pytest.CaptureFixture[str]) -> None:
    ((cell,),) = printed_csv(f"select {value}", capsys)[1:]  # noqa: S608
    assert json.loads(cell) == expected


def test_whole_numbers_beside_nulls_stay_whole_and_a_blank_text_is_no_null(capsys: pytest.CaptureFixture[str]) -> None:
    show("select * from (values (1, ''), (null, null)) t(n, s)", as_csv=True)
    assert capsys.readouterr().out == 'n,s\n1,""\n,\n'


def test_two_columns_of_one_name_keep_their_own_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed_csv("select 1 as a, [2] as a", capsys) == [["a", "a"], ["1", "[2]"]]


@given(st.lists(st.tuples(st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.lists(st.text()))))
def test_any_rows_are_read_back(rows: list[tuple[int | None, list[str] | None]]) -> None:
    numbers = pa.array([n for n, _ in rows], pa.int64())
    table = pa.table({"n": numbers, "l": pa.array([texts for _, texts in rows], pa.list_(pa.string()))})
    out = io.StringIO()
    with contextlib.redirect_stdout(out), duckdb.connect() as connection:
        print_csv(connection.from_arrow(table))
    _, *cells = csv.reader(io.StringIO(out.getvalue()))
    read = [(int(n) if n else None, json.loads(texts) if texts else None) for n, texts in cells]
    assert read == rows


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
        delta.upsert(ITEM_IMAGES, pa.Table.from_pylist(rows, delta.arrow_schema(ITEM_IMAGES)))
    assert query("select state from item_images where item_id = 'i1'").fetchall() == [("ok",)]
    assert delta.read(ITEM_IMAGES, pc.field("item_id") == "i2", ["state"])["state"].to_pylist() == ["unreachable"]
