"""Two lakes are equal where every date-keyed row is, provenance aside; otherwise the first differences are named."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from recsys_jobs.commands.diff import show
from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.tables import MODEL_METRICS, POPULAR_ITEMS, PROMOTIONS, RECOMMENDATIONS, TABLES, Table
from recsys_jobs.lake import delta
from recsys_jobs.operations.lake_diff import TableDiff, diff

OLD, NEW = date(2024, 1, 1), date(2024, 1, 2)


def slate(day: date, user: str, rank: int, item: str, score: float, version: int = 1, **more: Any) -> dict[str, Any]:
    row = {"run_date": day, "user_id": user, "rank": rank, "item_id": item, "score": score}
    return row | {"model_name": "ease_text", "model_version": version, "model_fingerprint": "f"} | more


def write(folder: Path, table: Table, *rows: dict[str, Any]) -> None:
    arrow = delta.arrow_schema(table)
    delta.append(table, pa.Table.from_pylist([dict.fromkeys(table.names) | row for row in rows], arrow), folder)


def compared(a: Path, b: Path, table: Table = RECOMMENDATIONS, day: date | None = None) -> TableDiff:
    [found] = [one for one in diff(a, b, day) if one.table == table.name]
    return found


@pytest.fixture
def lakes(tmp_path: Path) -> tuple[Path, Path]:
    """Two lakes with the same two rows of the old date."""
    lakes = tmp_path / "one" / "shop", tmp_path / "two" / "shop"
    for folder in lakes:
        write(folder, RECOMMENDATIONS, slate(OLD, "ann", 1, "cup", 2.0), slate(OLD, "ann", 2, "hat", 1.0))
    return lakes


def test_equal_rows_in_another_order_of_files_and_with_other_versions_are_equal(tmp_path: Path, capsys) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, RECOMMENDATIONS, slate(OLD, "ann", 1, "cup", 2.0, version=3), slate(OLD, "bob", 1, "hat", 1.0))
    write(two, RECOMMENDATIONS, slate(OLD, "bob", 1, "hat", 1.000001, version=None))
    write(two, RECOMMENDATIONS, slate(OLD, "ann", 1, "cup", 2.0, version=8))
    show(one, two)
    assert capsys.readouterr().out.rstrip().endswith("equal")


def test_a_score_may_differ_in_the_sixth_place_and_not_in_the_fourth(lakes: tuple[Path, Path]) -> None:
    write(lakes[0], RECOMMENDATIONS, slate(NEW, "ann", 1, "cup", 0.5), slate(NEW, "ann", 2, "hat", 2e6))
    write(lakes[1], RECOMMENDATIONS, slate(NEW, "ann", 1, "cup", 0.5001), slate(NEW, "ann", 2, "hat", 2e6 + 1))
    found = compared(*lakes)
    assert (found.rows_a, found.rows_b, found.only_a, found.only_b, found.changed) == (4, 4, 0, 0, 1)
    assert found.first == ("run_date 2024-01-02, user_id ann, rank 1: score 0.5 in A, 0.5001 in B",)


def test_a_swapped_rank_and_rows_that_one_lake_lacks_are_named(lakes: tuple[Path, Path], capsys) -> None:
    write(lakes[0], RECOMMENDATIONS, slate(NEW, "bob", 1, "cup", 1.0), slate(NEW, "eve", 1, "cup", 1.0))
    write(lakes[1], RECOMMENDATIONS, slate(NEW, "bob", 1, "hat", 1.0), slate(NEW, "zoe", 1, "cup", 1.0))
    with pytest.raises(JobError, match=r"^the lakes differ in recommendations$"):
        show(*lakes)
    named = [line for line in capsys.readouterr().out.splitlines() if line.startswith("recommendations: ")]
    assert named == [
        "recommendations: run_date 2024-01-02, user_id bob, rank 1: item_id 'cup' in A, 'hat' in B",
        "recommendations: run_date 2024-01-02, user_id eve, rank 1: only in A",
        "recommendations: run_date 2024-01-02, user_id zoe, rank 1: only in B",
    ]


def test_a_row_that_stands_twice_in_one_lake_is_a_difference(lakes: tuple[Path, Path]) -> None:
    write(lakes[1], RECOMMENDATIONS, slate(OLD, "ann", 2, "hat", 1.0))
    found = compared(*lakes)
    assert (found.rows_a, found.rows_b, found.changed) == (2, 3, 1)
    assert found.first == ("run_date 2024-01-01, user_id ann, rank 2: copies 1 in A, 2 in B",)


def test_a_missing_or_undefined_number_equals_itself_alone(tmp_path: Path) -> None:
    nan, inf = float("nan"), float("inf")
    low = [(nan, nan), (None, None), (inf, inf), (nan, 1.0), (None, 0.0), (inf, 1e300), (inf, -inf), (0.0, -0.0)]
    same = {"run_date": OLD, "model_name": "m", "recipe": "r", "model_fingerprint": "f", "protocol": "p", "slice": "s"}
    for side, folder in enumerate((tmp_path / "a", tmp_path / "b")):
        rows = [
            same | {"metric": "m", "k": k, "value": 1.0, "low": pair[side], "users": 1} for k, pair in enumerate(low)
        ]
        write(folder, MODEL_METRICS, *rows)
    found = compared(tmp_path / "a", tmp_path / "b", MODEL_METRICS)
    assert found.changed == 4
    assert [line.split(", k ")[1].split(":")[0] for line in found.first] == ["3", "4", "5", "6"]


def test_one_date_alone_can_be_asked_for(lakes: tuple[Path, Path]) -> None:
    write(lakes[1], RECOMMENDATIONS, slate(NEW, "ann", 1, "cup", 1.0))
    assert not compared(*lakes, day=OLD).differs
    assert compared(*lakes, day=NEW).only_b == 1


def test_each_lakes_own_registered_name_stands_for_itself(tmp_path: Path) -> None:
    one, two = tmp_path / "forward", tmp_path / "reverse"
    write(one, RECOMMENDATIONS, slate(OLD, "ann", 1, "cup", 1.0, model_name="forward-recommender"))
    write(two, RECOMMENDATIONS, slate(OLD, "ann", 1, "cup", 1.0, model_name="reverse-recommender"))
    assert not compared(one, two).differs
    write(two, RECOMMENDATIONS, slate(OLD, "bob", 1, "cup", 1.0, model_name="forward-recommender"))
    write(one, RECOMMENDATIONS, slate(OLD, "bob", 1, "cup", 1.0, model_name="forward-recommender"))
    assert compared(one, two).changed == 1


def test_a_decision_belongs_to_its_effective_date_and_its_time_is_left_aside(lakes: tuple[Path, Path]) -> None:
    decision = {"decision_id": "d", "kind": "gate", "effective_date": OLD, "recipe": "r", "model_fingerprint": "f"}
    decision |= {"decision": "passed", "publishes": "r", "reason": "better"}
    write(lakes[0], PROMOTIONS, decision | {"decided_at": datetime(2026, 1, 1, tzinfo=UTC), "lineage": "{}"})
    write(lakes[1], PROMOTIONS, decision | {"decided_at": datetime(2026, 1, 2, tzinfo=UTC)})
    assert (compared(*lakes, PROMOTIONS, OLD).rows_a, compared(*lakes, PROMOTIONS, OLD).differs) == (1, False)


def test_a_table_that_one_lake_never_wrote_has_its_rows_in_the_other_alone(lakes: tuple[Path, Path]) -> None:
    write(lakes[1], POPULAR_ITEMS, {"run_date": OLD, "rank": 1, "item_id": "cup", "users": 3})
    assert compared(*lakes, POPULAR_ITEMS).only_b == 1


def test_every_table_with_dates_is_compared(lakes: tuple[Path, Path]) -> None:
    undated = {"ingest_files", "quarantine", "reviews", "items", "item_images", "embeddings"}
    assert {one.table for one in diff(*lakes)} == set(TABLES) - undated


def test_a_folder_that_is_no_lake_and_a_date_without_rows_are_clear_errors(
    lakes: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="nowhere is no lake: there is no such folder"):
        diff(lakes[0], tmp_path / "nowhere")
    with pytest.raises(UsageError, match="one is no lake: none of its folders is a table"):
        diff(tmp_path / "one", lakes[1])
    with pytest.raises(JobError, match="nothing to compare: neither .* has a row of 2024-01-02"):
        diff(*lakes, NEW)
