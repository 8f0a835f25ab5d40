"""`python -m expectations.gate TABLE` judges a table as it stands in the lake."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from expectations import gate
from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.tables import (
    CONTENTS,
    EMBEDDINGS,
    INTERACTIONS,
    ITEMS,
    RECOMMENDATIONS,
    REVIEWS,
    TABLES,
    Table,
)
from recsys_jobs.lake import delta
from recsys_jobs.lake.delta import arrow_schema

pytestmark = pytest.mark.slow

NIGHT = date(2014, 3, 1)
MOMENT = datetime(2014, 2, 1, tzinfo=UTC)
MODEL = {"model_name": "ease_text", "model_fingerprint": "f"}
ROWS: dict[Table, list[dict[str, Any]]] = {
    REVIEWS: [
        {"dataset": "music", "user_id": "ann", "item_id": "i1", "rating": 5.0, "reviewed_at": MOMENT,
         "review_hash": "a" * 64, "path": "music/reviews/a.json"},
    ],
    ITEMS: [
        {"dataset": "music", "item_id": "i1", "item_hash": "b" * 64, "path": "music/items/a.json"},
        {"dataset": "music", "item_id": "i1", "item_hash": "b" * 64, "path": "music/items/a.json", "landed_on": NIGHT},
    ],
    INTERACTIONS: [
        {"as_of": NIGHT, "user_id": "ann", "item_id": "i1", "interacted_at": MOMENT, "rating": 5.0, "in_core": True,
         "split": "train", "review_hash": "a" * 64},
        {"as_of": date(2014, 2, 1), "user_id": "old", "item_id": "i1", "interacted_at": MOMENT, "rating": 5.0,
         "in_core": True, "split": "train", "review_hash": "a" * 64},
    ],
    CONTENTS: [
        {"as_of": NIGHT, "item_id": item, "modality": modality}
        for item in ("i1", "i2") for modality in ("text", "image")
    ],
    EMBEDDINGS: [{"encoder": "mini", "content_hash": "c" * 64, "vector": [1.0, 2.0]}],
    RECOMMENDATIONS: [{"run_date": NIGHT, "user_id": "ann", "rank": 1, "item_id": "i2", "score": 0.5, **MODEL}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path / "lake"))
    return tmp_path / "lake"


def write(lake: Path, table: Table, rows: list[dict[str, Any]]) -> None:
    nullable = pa.schema([field.with_nullable(True) for field in arrow_schema(table)])
    frame = pa.Table.from_pylist(rows, schema=nullable)
    write_deltalake(str(lake / table.name), frame, partition_by=list(table.partitioned_by) or None, mode="overwrite")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["gate", *arguments])
    gate.main()


def test_every_gated_table_passes_as_it_stands(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for table, rows in ROWS.items():
        write(lake, table, rows)
    for name in ("reviews", "items", "interactions", "embeddings", "recommendations"):
        run(monkeypatch, name, "--run-date", "2014-03-01")


@pytest.mark.parametrize(
    ("table", "changed", "expectation"),
    [
        (REVIEWS, {"rating": 6.0}, "expect_column_values_to_be_between(rating)"),
        (ITEMS, {"item_id": "../x"}, "expect_column_values_to_match_regex(item_id)"),
        (INTERACTIONS, {"split": "test"}, "expect_column_values_to_be_in_set(split)"),
        (EMBEDDINGS, {"vector": [0.0, 0.0]}, "expect_column_values_to_be_between(norm)"),
        (RECOMMENDATIONS, {"item_id": "i1"}, "expect_column_values_to_be_in_set(is_owned)"),
    ],
)
def test_every_gated_table_can_fail(
    lake: Path, monkeypatch: pytest.MonkeyPatch, table: Table, changed: dict[str, Any], expectation: str
) -> None:
    for other in (INTERACTIONS, CONTENTS):
        write(lake, other, ROWS[other])
    write(lake, table, [ROWS[table][0] | changed, *ROWS[table][1:]])
    with pytest.raises(JobError) as caught:
        run(monkeypatch, table.name, "--run-date", "2014-03-01")
    assert expectation in str(caught.value)


def test_a_table_that_was_never_written_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JobError, match="no table .*lake/reviews: run the night's step that writes it first"):
        run(monkeypatch, "reviews", "--run-date", "2014-03-01")


def test_a_wrong_call_says_what_to_write(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="write YYYY-MM-DD"):
        run(monkeypatch, "reviews", "--run-date", "yesterday")
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "cuts", "--run-date", "2014-03-01")
    assert stopped.value.code == 2
    assert "invalid choice: 'cuts'" in capsys.readouterr().err
    assert "cuts" in TABLES


def test_a_night_judges_vectors_once(
    lake: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    night = ("embeddings", "--new", "--run-date", "2014-03-01")
    write(lake, EMBEDDINGS, ROWS[EMBEDDINGS])
    run(monkeypatch, *night)
    assert "expectations hold on" in caplog.text
    caplog.clear()
    run(monkeypatch, *night)
    assert "nothing that was not judged before" in caplog.text
    row = ROWS[EMBEDDINGS][0] | {"content_hash": "f" * 64}
    delta.append(EMBEDDINGS, pa.Table.from_pylist([row], arrow_schema(EMBEDDINGS)))
    run(monkeypatch, *night)
    assert "expectations hold on 1 rows" in caplog.text


@pytest.mark.parametrize("vector", [[0.0, 0.0], [1.0, 2.0, 3.0]])  # of no length; of a width that the others have not
def test_new_vectors_that_fail_are_judged_again(
    lake: Path, monkeypatch: pytest.MonkeyPatch, vector: list[float]
) -> None:
    night = ("embeddings", "--new", "--run-date", "2014-03-01")
    write(lake, EMBEDDINGS, ROWS[EMBEDDINGS])
    run(monkeypatch, *night)
    row = ROWS[EMBEDDINGS][0] | {"content_hash": "f" * 64, "vector": vector}
    delta.append(EMBEDDINGS, pa.Table.from_pylist([row], arrow_schema(EMBEDDINGS)))
    for _ in range(2):
        with pytest.raises(JobError, match="embeddings of 2014-03-01 fails its gate"):
            run(monkeypatch, *night)


def test_new_is_of_embeddings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="a night judges what is new before it enters"):
        run(monkeypatch, "reviews", "--new", "--run-date", "2014-03-01")
