"""Gates stop bad tables, each expectation by itself, and let good ones through."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from expectations.gate import validate
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import INTERACTIONS, ITEMS, REVIEWS, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.slow

NIGHT = date(2014, 3, 1)


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path / "var"))
    return tmp_path / "var"


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)


def hash_of(letter: str) -> str:
    return letter * 64


def review(**changed: Any) -> dict[str, Any]:
    return {
        "dataset": "music",
        "user_id": "A1",
        "item_id": "B001",
        "rating": 5.0,
        "title": "Good",
        "text": "Very good",
        "reviewed_at": at(2014, 2, 1, 12),
        "verified": True,
        "review_hash": hash_of("a"),
        "text_hash": hash_of("b"),
        "path": "music/reviews/a.json",
    } | changed


def item(**changed: Any) -> dict[str, Any]:
    return {
        "dataset": "music",
        "item_id": "B001",
        "landed_on": date(2014, 2, 1),
        "item_hash": hash_of("c"),
        "title": "A record",
        "description": None,
        "brand": None,
        "categories": ["Pop"],
        "price": 9.99,
        "image_urls": [],
        "also_bought": [],
        "also_viewed": [],
        "bought_together": [],
        "text_hash": hash_of("d"),
        "path": "music/items/a.json",
    } | changed


def interaction(**changed: Any) -> dict[str, Any]:
    return {
        "as_of": NIGHT,
        "user_id": "A1",
        "item_id": "B001",
        "interacted_at": at(2014, 3, 1, 23, 59, 59),
        "rating": 4.0,
        "in_core": True,
        "split": "train",
        "review_hash": hash_of("a"),
        "text_hash": None,
    } | changed


GOOD: dict[str, list[dict[str, Any]]] = {
    "reviews": [review(), review(user_id="A2", rating=1.0, text_hash=None), review(reviewed_at=at(2014, 2, 2))],
    "items": [item(), item(landed_on=None, price=None), item(item_hash=hash_of("e"), price=0.0)],
    "interactions": [interaction(), interaction(user_id="A2", in_core=False), interaction(item_id="B2")],
}

BAD: list[tuple[Table, list[dict[str, Any]], list[str]]] = [
    (
        REVIEWS,
        [
            review(),
            review(),
            review(item_id="../../x"),
            review(user_id="A1\n"),
            review(rating=5.5),
            review(reviewed_at=at(1970, 1, 17)),
            review(review_hash="A" * 64),
            review(text_hash="b" * 63),
        ],
        [
            "expect_compound_columns_to_be_unique(dataset, user_id, item_id, reviewed_at)",
            "expect_column_values_to_match_regex(user_id)",
            "expect_column_values_to_match_regex(item_id)",
            "expect_column_values_to_be_between(rating)",
            "expect_column_values_to_be_between(reviewed_at)",
            "expect_column_values_to_match_regex(review_hash)",
            "expect_column_values_to_match_regex(text_hash)",
        ],
    ),
    (
        ITEMS,
        [
            item(landed_on=None),
            item(landed_on=None),
            item(item_id="a b"),
            item(price=-1.0),
            item(item_hash="x", text_hash="y"),
        ],
        [
            "expect_compound_columns_to_be_unique(dataset, item_id, landed_on, item_hash)",
            "expect_column_values_to_match_regex(item_id)",
            "expect_column_values_to_be_between(price)",
            "expect_column_values_to_match_regex(item_hash)",
            "expect_column_values_to_match_regex(text_hash)",
        ],
    ),
    (
        INTERACTIONS,
        [
            interaction(in_core=False),
            interaction(in_core=False),
            interaction(in_core=False, as_of=date(2014, 2, 28), user_id="a/b"),
            interaction(in_core=False, item_id="", interacted_at=at(2014, 3, 2)),
            interaction(in_core=False, item_id="B2", rating=0.0, split="test", review_hash="", text_hash=""),
        ],
        [
            "expect_compound_columns_to_be_unique(as_of, user_id, item_id)",
            "expect_column_values_to_be_in_set(as_of)",
            "expect_column_values_to_match_regex(user_id)",
            "expect_column_values_to_match_regex(item_id)",
            "expect_column_values_to_be_between(interacted_at)",
            "expect_column_values_to_be_between(rating)",
            "expect_column_distinct_values_to_contain_set(in_core)",
            "expect_column_values_to_be_in_set(split)",
            "expect_column_values_to_match_regex(review_hash)",
            "expect_column_values_to_match_regex(text_hash)",
        ],
    ),
]


def spark_frame(spark: SparkSession, table: Table, rows: list[dict[str, Any]]) -> DataFrame:
    """The rows with the table's types, nullable, so that a missing key reaches the gate."""
    schema = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    return spark.createDataFrame([tuple(row[name] for name in table.names) for row in rows], schema).persist()


def failures(table: Table, frame: Any) -> list[str]:
    """The expectations that the error's one line names."""
    with pytest.raises(JobError) as caught:
        validate(table, frame, NIGHT)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{table.name} of 2014-03-01 fails its gate: expect_")
    named = message.removeprefix(f"{table.name} of 2014-03-01 fails its gate: ").split("; rows above")[0]
    return sorted(f"{name})" for name in named.removesuffix(")").split("), "))


@pytest.mark.parametrize("table", [REVIEWS, ITEMS, INTERACTIONS], ids=lambda table: table.name)
def test_a_good_table_passes_and_says_so_in_one_line(
    spark: SparkSession, table: Table, var: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "expectations.suite_runner")
    validate(table, spark_frame(spark, table, GOOD[table.name]), NIGHT)
    (line,) = (record.message for record in caplog.records if record.name == "expectations.suite_runner")
    assert line.startswith(f"{table.name}: ")
    assert " expectations hold on 3 rows (" in line
    page = Path(line.split("report in ")[1])
    assert page.is_relative_to(var / "data_docs" / "validations" / table.name / "2014-03-01")
    assert page.name in (var / "data_docs" / "index.html").read_text()


@pytest.mark.parametrize(("table", "rows", "expected"), BAD, ids=lambda value: getattr(value, "name", ""))
def test_each_expectation_can_fail(
    spark: SparkSession, table: Table, rows: list[dict[str, Any]], expected: list[str]
) -> None:
    whole = [column.name for column in table.columns if not column.nullable]
    gaps = [{**rows[0], name: None} for name in whole]
    found = failures(table, spark_frame(spark, table, [*rows, *gaps]))
    assert found == sorted([*expected, *(f"expect_column_values_to_not_be_null({name})" for name in whole)])


def test_an_empty_table_of_reviews_fails(spark: SparkSession) -> None:
    assert failures(REVIEWS, spark_frame(spark, REVIEWS, [])) == ["expect_table_row_count_to_be_between()"]
