"""The audit of a night's slates and the gate of embeddings: each slip is caught by the expectation it is there for."""

from __future__ import annotations

import logging
import math
import re
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from expectations.embeddings import describe
from expectations.gate import validate
from expectations.recommendations import audit_recommendations
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import EMBEDDINGS

pytestmark = pytest.mark.slow

NIGHT = date(2014, 3, 1)
ELIGIBLE = ["i1", "i2", "i3", "i4", "i5"]

Row = tuple[str, int, str | None, float]

GOOD: list[Row] = [("ann", 1, "i2", 0.9), ("ann", 2, "i3", 0.5), ("bob", 1, "i5", 0.1)]
HISTORY = {"ann": ["i1"], "bob": ["i1", "i2", "i3", "i4"], "eve": ELIGIBLE}  # bob has one item left, eve none

# Each user below owns i1 alone, so two rows are due, and is called after the slip in its slate.
SLIPS: dict[str, list[Row]] = {
    "short": [("short", 1, "i2", 0.9)],
    "none": [],
    "long": [("long", 1, "i2", 0.9), ("long", 2, "i3", 0.5), ("long", 3, "i4", 0.1)],
    "rank_zero": [("rank_zero", 0, "i2", 0.9), ("rank_zero", 1, "i3", 0.5)],
    "hole": [("hole", 1, "i2", 0.9), ("hole", 3, "i3", 0.5)],
    "rank_twice": [("rank_twice", 1, "i2", 0.5), ("rank_twice", 1, "i3", 0.5)],
    "item_twice": [("item_twice", 1, "i2", 0.9), ("item_twice", 2, "i2", 0.5)],
    "rising": [("rising", 1, "i2", 0.5), ("rising", 2, "i3", 0.9)],
    "infinite": [("infinite", 1, "i2", math.inf), ("infinite", 2, "i3", 0.5)],
    "not_a_number": [("not_a_number", 1, "i2", 0.9), ("not_a_number", 2, "i3", math.nan)],
    "unknown_item": [("unknown_item", 1, "i2", 0.9), ("unknown_item", 2, "i9", 0.5)],
    "no_item": [("no_item", 1, "i2", 0.9), ("no_item", 2, None, 0.5)],
    "owned_item": [("owned_item", 1, "i2", 0.9), ("owned_item", 2, "i1", 0.5)],
}
STRANGER: Row = ("stranger", 1, "i2", 0.9)  # somebody without an event

CAUGHT = {
    "expect_column_pair_values_to_be_equal(rows, expected_rows)": {"short", "none", "long", "stranger"},
    "expect_column_values_to_be_in_set(has_event)": {"stranger"},
    "expect_column_values_to_be_between(rank)": {"long", "rank_zero", "hole"},
    "expect_column_pair_values_to_be_equal(last_rank, rows)": {"rank_zero", "hole", "rank_twice"},
    "expect_column_pair_values_to_be_equal(ranks, rows)": {"rank_twice"},
    "expect_column_pair_values_to_be_equal(items, rows)": {"item_twice", "no_item"},
    "expect_column_values_to_be_between(score_drop)": {"rising"},
    "expect_column_values_to_be_between(score)": {"infinite"},
    "expect_column_values_to_not_be_null(score)": {"not_a_number"},
    "expect_column_values_to_be_in_set(is_eligible)": {"unknown_item", "no_item"},
    "expect_column_values_to_not_be_null(item_id)": {"no_item"},
    "expect_column_values_to_be_in_set(is_owned)": {"owned_item"},
}


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path / "var"))
    return tmp_path / "var"


def slates(rows: list[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["user_id", "rank", "item_id", "score"])
    return frame.assign(run_date=NIGHT, model_name="lake-recommender", model_version=1, model_fingerprint="f" * 64)


def audit(rows: pd.DataFrame, history: dict[str, list[str]] = HISTORY, min_coverage: float = 0.5) -> None:
    pairs = [(user, item) for user, items in history.items() for item in items]
    owned = pd.DataFrame(pairs, columns=["user_id", "item_id"], dtype="string")
    audit_recommendations(rows, owned=owned, eligible=ELIGIBLE, k=2, min_coverage=min_coverage, run_date=NIGHT)


def broken_rows(caplog: pytest.LogCaptureFixture, column: str) -> dict[str, set[str]]:
    """By expectation, what the rows below its line in the log have in `column`."""
    found: dict[str, set[str]] = {}
    for message in (record.message for record in caplog.records if record.levelname == "ERROR"):
        if head := re.match(r"\w+: (\w+\(.*?\)) fails: ", message):
            rows = found.setdefault(head[1], set())
        elif value := re.search(rf"\b{column}='?([^',]*)", message):
            rows.add(value[1])
    return found


def test_good_slates_pass_and_leave_three_pages(var: Path) -> None:
    audit(slates(GOOD))
    pages = {page.stem for page in (var / "data_docs" / "validations").rglob("*.html")}
    names = {"pandas-recommendations", "pandas-recommendations_users", "pandas-recommendations_coverage"}
    assert pages == names
    index = (var / "data_docs" / "index.html").read_text()
    assert all(f"{name}.html" in index for name in names)


def test_each_slip_is_caught_with_its_row_by_the_expectation_it_breaks(caplog: pytest.LogCaptureFixture) -> None:
    rows = [*GOOD, *(row for slate in SLIPS.values() for row in slate), STRANGER]
    with pytest.raises(JobError) as caught:
        audit(slates(rows), HISTORY | {user: ["i1"] for user in SLIPS})
    assert broken_rows(caplog, "user_id") == CAUGHT
    assert "\n" not in str(caught.value)
    assert all(expectation in str(caught.value) for expectation in CAUGHT)


def test_the_night_and_the_model_stand_on_every_row(caplog: pytest.LogCaptureFixture) -> None:
    columns = ["run_date", "user_id", "rank", "model_name", "model_fingerprint"]
    gaps = [slates(GOOD[:1]).astype({column: object}).assign(**{column: None}) for column in columns]
    other_night = slates(GOOD[:1]).assign(run_date=date(2014, 3, 2))
    with pytest.raises(JobError) as caught:
        audit(pd.concat([slates(GOOD), *gaps, other_night], ignore_index=True))
    assert all(f"expect_column_values_to_not_be_null({column})" in str(caught.value) for column in columns)
    assert "expect_column_values_to_be_in_set(run_date)" in str(caught.value)
    assert broken_rows(caplog, "run_date")["expect_column_values_to_be_in_set(run_date)"] == {"datetime.date(2014"}


def test_coverage_may_stand_at_its_bound_and_not_below() -> None:
    audit(slates(GOOD), min_coverage=0.6)  # i2, i3, i5 of five
    with pytest.raises(JobError, match=r"gate: expect_column_values_to_be_between\(coverage\); rows above"):
        audit(slates(GOOD), min_coverage=0.61)


def test_a_night_without_users_is_no_night() -> None:
    with pytest.raises(JobError, match=r"expect_table_row_count_to_be_between\(\)"):
        audit(slates([]).astype({"user_id": "string", "item_id": "string"}), {}, min_coverage=0.0)


def batch(rows: list[tuple[str | None, str | None, list[float] | None]]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True))
    types = [pa.string(), pa.string(), pa.list_(pa.float32())]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=EMBEDDINGS.names)


VECTORS = [("mini", "a" * 64, [1.0, 0.0]), ("mini", "b" * 64, [0.5, 0.5]), ("net", "a" * 64, [1.0, 2.0, 3.0])]


def test_good_embeddings_pass_and_so_does_a_night_with_none(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "expectations")
    validate(EMBEDDINGS, describe([batch(VECTORS[:1]), batch(VECTORS[1:])]), NIGHT)
    validate(EMBEDDINGS, describe([]), NIGHT)
    assert "expectations hold on 3 rows" in caplog.records[0].message
    assert "expectations hold on 0 rows" in caplog.records[1].message


def test_each_broken_embedding_is_caught_by_the_expectation_it_breaks(caplog: pytest.LogCaptureFixture) -> None:
    a, twice, short, nan, infinite, zero, gone = ("a" * 64, *(letter * 64 for letter in "bcdef0"))
    slips = [
        *(("mini", twice, [1.0, 0.0]), ("mini", twice, [0.5, 0.5])),
        ("mini", "C" * 64, [1.0, 0.0]),
        ("mini", short, [1.0]),
        ("mini", nan, [1.0, math.nan]),
        ("mini", infinite, [1.0, math.inf]),
        ("mini", zero, [0.0, 0.0]),
        ("mini", gone, None),
        ("mini", None, [1.0, 0.0]),
        (None, a, [1.0, 0.0]),
    ]
    with pytest.raises(JobError):
        validate(EMBEDDINGS, describe([batch([("mini", a, [1.0, 0.0]), *slips])]), NIGHT)
    assert broken_rows(caplog, "content_hash") == {
        "expect_compound_columns_to_be_unique(encoder, content_hash)": {twice},
        "expect_column_values_to_match_regex(content_hash)": {"C" * 64},
        "expect_column_pair_values_to_be_equal(dimension, encoder_dimension)": {short, gone, a},
        "expect_column_values_to_be_in_set(not_finite)": {nan, infinite},
        "expect_column_values_to_be_between(norm)": {zero, gone},
        "expect_column_values_to_not_be_null(dimension)": {gone},
        "expect_column_values_to_not_be_null(content_hash)": {"None"},
        "expect_column_values_to_not_be_null(encoder)": {a},
    }


def test_markup_in_an_identifier_is_text_in_the_docs_and_one_line_in_the_log(
    var: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hostile = "<script>alert(1)</script>\nfake line"
    with pytest.raises(JobError):
        validate(EMBEDDINGS, describe([batch([("mini", hostile, [1.0])])]), NIGHT)
    (page,) = (var / "data_docs" / "validations").rglob("*.html")
    assert "&lt;script&gt;alert(1)" in page.read_text()
    assert "<script" not in page.read_text()
    assert "https://" not in page.read_text()  # nothing is fetched, so that it reads without a network
    assert all("\n" not in record.message for record in caplog.records)


def test_nights_past_stay_in_the_docs(var: Path) -> None:
    for night in (date(2014, 3, 1), date(2014, 3, 2), date(2014, 3, 2)):
        validate(EMBEDDINGS, describe([batch(VECTORS)]), night)
    index = (var / "data_docs" / "index.html").read_text()
    pages = re.findall(r'href="(validations/embeddings/(\d{4}-\d\d-\d\d)/[^"]+)"', index)
    assert [night for _, night in pages] == ["2014-03-02", "2014-03-02", "2014-03-01"]
    assert all((var / "data_docs" / page).is_file() for page, _ in pages)
