"""The torch side's reading of Delta: a filter finds the rows it names, whatever the log says of a column."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from recsys_jobs.contracts.tables import EMBEDDINGS, REVIEWS
from recsys_jobs.lake import delta, sql

LONG = "a" * 40  # longer than what Delta's log keeps of a text


def review(user: str, verified: bool | None) -> dict[str, Any]:
    made = {"dataset": "shop", "item_id": "cup", "rating": 5.0, "title": None, "text": "good", "text_hash": "t"}
    when = datetime(2014, 3, 1, tzinfo=UTC)
    return made | {"user_id": user, "reviewed_at": when, "verified": verified, "review_hash": user, "path": LONG + user}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table whose log bounds one column alone, as Spark's bounds no booleans."""
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path))
    rows = [review("ann", True), review("bob", False), review("cid", None), review(LONG + "z", True)]
    table = DeltaTable.create(tmp_path / REVIEWS.name, delta.arrow_schema(REVIEWS))
    pq.write_table(
        pa.Table.from_pylist(rows, delta.arrow_schema(REVIEWS)), path := tmp_path / REVIEWS.name / "a.parquet"
    )
    stats = {"numRecords": 4, "minValues": {"dataset": "shop"}, "maxValues": {"dataset": "shop"}, "nullCount": {}}
    action = AddAction(path.name, path.stat().st_size, {}, 0, True, json.dumps(stats))
    table.create_write_transaction([action], "append", delta.arrow_schema(REVIEWS))
    return tmp_path


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        (pc.field("verified") == True, 2),  # noqa: E712
        (pc.field("verified") == False, 1),  # noqa: E712
        (pc.field("verified").is_null(), 1),
        (pc.field("title").is_null(), 4),
        (pc.field("title") == "x", 0),
        (pc.field("user_id") == LONG + "z", 1),
        (pc.field("path") == LONG + LONG + "z", 1),
        (pc.field("reviewed_at") >= pa.scalar(datetime(2014, 3, 1, tzinfo=UTC)), 4),
    ],
)
def test_a_filter_finds_the_rows_it_names(lake: Path, condition: Any, rows: int) -> None:
    assert delta.scan(REVIEWS).count_rows(filter=condition) == rows


def test_sql_finds_booleans(lake: Path) -> None:
    [(count,)] = sql.query("SELECT count(*) FROM reviews WHERE verified = true").fetchall()
    assert count == 2


def test_a_partition_whose_name_needs_escapes_is_read(lake: Path) -> None:
    for encoder in ("a@1/b c%20d", "b"):
        rows = [{"encoder": encoder, "content_hash": "h", "vector": [1.0]}]
        delta.append(EMBEDDINGS, pa.Table.from_pylist(rows, delta.arrow_schema(EMBEDDINGS)))
    assert delta.read(EMBEDDINGS, pc.field("encoder") == "a@1/b c%20d", ["vector"]).to_pylist() == [{"vector": [1.0]}]
    assert delta.read(EMBEDDINGS, columns=["encoder"])["encoder"].to_pylist() == ["a@1/b c%20d", "b"]
