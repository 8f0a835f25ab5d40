"""Maintenance lets go of what the settings let go, and of nothing that a reader, a night or a promise needs."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CONTENTS, CUTS, EMBEDDINGS, INTERACTIONS, REVIEWS, Table
from recsys_jobs.lake import delta
from recsys_jobs.operations import retention
from recsys_jobs.operations.retention import compact, drop_embeddings, drop_snapshots, maintain, vacuum
from tests.components import shop

OLD, OLD_EXAM, NEW, NEW_EXAM = date(2013, 3, 1), date(2009, 1, 1), date(2014, 3, 1), date(2013, 12, 1)
SETTINGS = replace(Settings(), snapshot_days=200)
LONG_AGO = 500 * 86_400  # seconds


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop.place(tmp_path, monkeypatch)


def night(place: Path, run_date: date, exam_cut: date) -> None:
    for day in {run_date, exam_cut}:
        pair = {"as_of": day, "user_id": "ann", "item_id": "i1", "in_core": True, "text_hash": "of_ann"}
        shop.write(place, INTERACTIONS, [pair])
        shop.write(place, CONTENTS, [{"as_of": day, "item_id": "i1", "modality": "text", "content_hash": "of_i1"}])
    shop.write(place, CUTS, [{"run_date": run_date, "exam_cut": exam_cut}])


def age(place: Path, table: Table, seconds: int = LONG_AGO) -> None:
    """Make everything in the table look as if it had happened so long ago."""
    folder = place / table.name
    for commit in folder.glob("_delta_log/*.json"):
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for action in actions:
            for fields in action.values():
                _backdate(fields, seconds * 1000)
        commit.write_text("\n".join(json.dumps(action) for action in actions) + "\n")
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - seconds, time.time() - seconds))


def _backdate(fields: dict[str, Any], milliseconds: int) -> None:
    for name in ("timestamp", "modificationTime", "deletionTimestamp", "createdTime"):
        if name in fields:
            fields[name] -= milliseconds


def days(table: Table) -> set[date]:
    return set(delta.read(table, columns=[table.partitioned_by[0]])[0].to_pylist())


def test_cuts_that_no_kept_night_reads_are_dropped(place: Path) -> None:
    night(place, OLD, OLD_EXAM)
    night(place, NEW, NEW_EXAM)
    for table in (CUTS, INTERACTIONS, CONTENTS):
        age(place, table)
    drop_snapshots(SETTINGS, dry_run=True)
    assert days(INTERACTIONS) == {OLD, OLD_EXAM, NEW, NEW_EXAM}
    drop_snapshots(SETTINGS, dry_run=False)
    assert days(CUTS) == {NEW}
    assert days(INTERACTIONS) == days(CONTENTS) == {NEW, NEW_EXAM}


def test_an_old_exam_cut_of_a_kept_night_stays(place: Path) -> None:
    night(place, NEW, OLD_EXAM)
    for table in (CUTS, INTERACTIONS, CONTENTS):
        age(place, table)
    drop_snapshots(SETTINGS, dry_run=False)
    assert days(INTERACTIONS) == {NEW, OLD_EXAM}


def test_what_a_backfill_wrote_of_late_stays_however_old_its_date(place: Path) -> None:
    night(place, NEW, NEW_EXAM)
    night(place, OLD, OLD_EXAM)
    drop_snapshots(SETTINGS, dry_run=False)
    assert days(INTERACTIONS) == {OLD, OLD_EXAM, NEW, NEW_EXAM}


def test_vectors_stay_while_any_table_names_their_content(place: Path) -> None:
    night(place, NEW, NEW_EXAM)
    shop.write(place, REVIEWS, [{"dataset": "shop", "user_id": "bob", "item_id": "i2", "text_hash": "of_bob"}])
    hashes = ["of_ann", "of_bob", "of_i1", "gone", "gone too"]
    shop.write(place, EMBEDDINGS, [{"encoder": "mini", "content_hash": h, "vector": [1.0]} for h in hashes])
    drop_embeddings(SETTINGS, dry_run=False)
    assert delta.read(EMBEDDINGS)["content_hash"].to_pylist() == ["of_ann", "of_bob", "of_i1"]


def test_a_stored_image_goes_when_no_table_names_it_unless_it_just_came(place: Path) -> None:
    night(place, NEW, NEW_EXAM)
    stored = {name: place / "images" / "aa" / f"{name}.jpg" for name in ("of_i1", "gone", "just_came")}
    for path in stored.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"jpeg")
    for name in ("of_i1", "gone"):
        os.utime(stored[name], (time.time() - LONG_AGO, time.time() - LONG_AGO))
    drop_embeddings(SETTINGS, dry_run=False)
    assert {name for name, path in stored.items() if path.exists()} == {"of_i1", "just_came"}


def versions(place: Path, table: Table) -> dict[int, int]:
    """Rows by version, of the versions that can be read."""
    newest = DeltaTable(str(place / table.name)).version()
    return {n: rows for n in range(newest + 1) if (rows := _rows(place, table, n)) is not None}


def _rows(place: Path, table: Table, version: int) -> int | None:
    try:
        return int(DeltaTable(str(place / table.name), version=version).to_pyarrow_table().num_rows)
    except Exception:  # noqa: BLE001 - whatever the reason, this version cannot be read
        return None


def test_every_version_of_the_last_days_can_be_read_after_files_were_joined_and_removed(place: Path) -> None:
    night(place, NEW, NEW_EXAM)
    night(place, OLD, OLD_EXAM)
    shop.write(place, CONTENTS, [{"as_of": NEW, "item_id": "i2", "modality": "text"}])
    reader = DeltaTable(str(place / CONTENTS.name)).to_pyarrow_dataset()  # opened before, read after
    before = versions(place, CONTENTS)
    maintain(["compact", "vacuum"])
    assert {n: rows for n, rows in versions(place, CONTENTS).items() if n in before} == before
    assert reader.to_table().num_rows == before[max(before)]
    assert len(DeltaTable(str(place / CONTENTS.name)).file_uris()) == 4, "one file a date"


def test_older_versions_go_and_what_stands_stays(place: Path) -> None:
    night(place, NEW, NEW_EXAM)
    lake_before = delta.read(CONTENTS)
    delta_table = DeltaTable(str(place / CONTENTS.name))
    delta_table.delete()
    shop.write(place, CONTENTS, lake_before.to_pylist())
    age(place, CONTENTS)
    old_files = len(list((place / CONTENTS.name).rglob("*.parquet")))
    vacuum(SETTINGS, dry_run=True)
    assert len(list((place / CONTENTS.name).rglob("*.parquet"))) == old_files
    vacuum(SETTINGS, dry_run=False)
    assert len(list((place / CONTENTS.name).rglob("as_of=*/*.parquet"))) < old_files
    assert delta.read(CONTENTS).equals(lake_before)


def test_maintenance_done_twice_changes_nothing_more(place: Path) -> None:
    night(place, NEW, NEW_EXAM)
    shop.write(place, CONTENTS, [{"as_of": NEW, "item_id": "i2", "modality": "text"}])
    for step in (compact, vacuum):
        step(SETTINGS, False)
    files = DeltaTable(str(place / CONTENTS.name)).file_uris()
    for step in (compact, vacuum):
        step(SETTINGS, False)
    assert DeltaTable(str(place / CONTENTS.name)).file_uris() == files


def test_it_gives_way_to_a_running_step(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_WAIT", 0.0)
    with lake_lock.step(), pytest.raises(JobError, match=r"maintenance \(vacuum\) must wait: a step of a night"):
        maintain(["vacuum"])


def test_a_retention_of_no_days_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml = place.parent / "none.toml"
    toml.write_text("time_travel_days = 0\n")
    monkeypatch.setenv("RECSYS_CONFIG", str(toml))
    with pytest.raises(UsageError, match="time_travel_days is 0: it must be at least 1"):
        maintain(["vacuum"])


@pytest.mark.slow
def test_old_models_are_archived_but_never_one_that_serves(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recsys_jobs.registry import mlflow_client

    with mlflow_client.new_run("fit", "serving", "f", {}) as run:
        pass
    for _ in range(5):
        mlflow_client.register(f"runs:/{run.info.run_id}/model", run.info.run_id, {})
    mlflow_client.client().set_registered_model_alias(mlflow_client.registered_name(), mlflow_client.CHAMPION, "2")
    retention.archive_models(replace(SETTINGS, model_versions=2), dry_run=False)
    archived = {int(v.version) for v in mlflow_client.versions() if mlflow_client.ARCHIVED in v.tags}
    assert archived == {1, 3}


def test_the_policy_is_in_days(place: Path) -> None:
    assert timedelta(days=Settings().time_travel_days) > timedelta(days=365), "last spring can be asked about"
