"""A small shop as a night leaves it, in a lake of its own: snapshots by hand, a real fit, published slates."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CONTENTS, CUTS, INTERACTIONS, ITEMS, REVIEWS, Table
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake import lineage
from recsys_jobs.lake.delta import arrow_schema
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.promotion.night_context import night_context
from recsys_jobs.publishing.publish import commit_staged
from recsys_jobs.publishing.stage_slates import stage_tables
from recsys_jobs.registry.fits import Fit, serving_fit

FIRST, NIGHT = date(2024, 1, 1), date(2024, 1, 2)
USERS, ITEM_COUNT, EACH = 24, 12, 4
ITEM_IDS = [f"i{n:02d}" for n in range(ITEM_COUNT)]
USER_IDS = [f"AUSER{n:02d}X" for n in range(USERS)]
BRANDS = {item: "Acme" if n % 4 == 0 else "Other" for n, item in enumerate(ITEM_IDS)}
SETTINGS = replace(Settings(), k=4, similar_k=3, min_published_coverage=0.1)


def place(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point every place at `home`; return the lake, which is empty yet."""
    toml = home / "shop.toml"
    toml.write_text("k = 4\nsimilar_k = 3\nmin_published_coverage = 0.1\n", encoding="utf-8")
    for name, value in {"VAR": home, "LAKE": home / "shop", "CONFIG": toml, "LANDING": home / "landing"}.items():
        monkeypatch.setenv(f"RECSYS_{name}", str(value))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    return home / "shop"


def write(lake: Path, table: Table, rows: list[dict[str, Any]], mode: str = "append") -> None:
    """Write rows whoever the table's writer is."""
    nullable = pa.schema([field.with_nullable(True) for field in arrow_schema(table)])
    frame = pa.Table.from_pylist(rows, schema=nullable)
    write_deltalake(str(lake / table.name), frame, partition_by=list(table.partitioned_by) or None, mode=mode)  # type: ignore[call-overload]


def events(day: date) -> list[tuple[str, str, datetime]]:
    """Who had what, when: each user `EACH` items in a row of the catalogue, the last ones on the second night."""
    opened = datetime(2023, 6, 1, tzinfo=UTC)
    found = []
    for number, user in enumerate(USER_IDS):
        for turn in range(EACH if day == NIGHT or number < USERS - 2 else 0):
            item = ITEM_IDS[(number + turn * 3) % ITEM_COUNT]
            found.append((user, item, opened + timedelta(hours=number + 100 * turn)))
    return found


def snapshot(lake: Path, day: date) -> None:
    """The snapshot tables of one cut: everybody is in the core, nothing has text or picture."""
    rows = [
        {"as_of": day, "user_id": user, "item_id": item, "interacted_at": moment, "rating": 5.0, "in_core": True,
         "split": "train", "review_hash": f"{user}{item}", "text_hash": None}
        for user, item, moment in events(day)
    ]  # fmt: skip
    write(lake, INTERACTIONS, rows)
    contents = [{"as_of": day, "item_id": item, "modality": m} for item in ITEM_IDS for m in ("text", "image")]
    write(lake, CONTENTS, contents)
    cut = {"run_date": day, "exam_cut": day, "holdout_users": 0, "holdout_events": 0, "events": len(rows)}
    write(lake, CUTS, [cut | {"decidable": False}])


def stock(lake: Path) -> None:
    """The reviews and the items that the snapshots come from."""
    rows = [
        {"dataset": "shop", "user_id": user, "item_id": item, "rating": 5.0, "title": "good", "text": f"by {user}",
         "reviewed_at": moment, "review_hash": f"{user}{item}", "text_hash": f"t{user}", "path": "shop/reviews/a.json"}
        for user, item, moment in events(NIGHT)
    ]  # fmt: skip
    write(lake, REVIEWS, rows)
    write(lake, ITEMS, [
        {"dataset": "shop", "item_id": item, "item_hash": f"h{item}", "title": f"Item {item}", "brand": BRANDS[item],
         "path": "shop/items/a.json"} for item in ITEM_IDS
    ])  # fmt: skip


def land(landing: Path) -> None:
    """The dump that the reviews would have come from."""
    folder = landing / "shop" / "reviews"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"reviewerID": user, "asin": item}) for user, item, _ in events(NIGHT)]
    (folder / "a.json").write_text("\n".join(lines) + "\n", encoding="utf-8")


def publish(day: date, family: str, version: int | None = None) -> Fit:
    """Fit `family` on the cut, and publish its slates, without Airflow, gate or alias."""
    dataset = load_dataset(day, SETTINGS)
    tags = {"run_date": str(day), "cut": str(day), "lake": "shop"}
    fit = serving_fit(dataset, get_recipe(family), 0, 2, tags)
    night = night_context(day, SETTINGS, family)
    stage_tables(night, dataset, fit, version, lineage.input_versions())
    commit_staged(night)
    return fit
