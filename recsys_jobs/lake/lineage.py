"""What a published night was made from: the row of `publications`, written with the slates, read by `why`.

The versions recorded are those that were read: top-K reads its inputs pinned to them (delta.pinned). `items`,
`reviews` and `item_images` are the tables that the snapshots came from, and where titles are looked up.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import (
    CONTENTS,
    CUTS,
    EMBEDDINGS,
    INTERACTIONS,
    ITEM_EDGES,
    ITEM_IMAGES,
    ITEMS,
    PUBLICATIONS,
    RECOMMENDATIONS,
    REVIEWS,
)
from recsys_jobs.lake import delta
from recsys_jobs.lake.code_version import code_version

INPUTS = (INTERACTIONS, ITEM_EDGES, CONTENTS, EMBEDDINGS, CUTS, ITEMS, REVIEWS, ITEM_IMAGES)
_NEAREST = 5  # dates that an error names

Versions = Mapping[str, int | None]


@dataclass(frozen=True)
class Publication:
    """One published night: which model, fitted how, on what, and the settings it ran with."""

    run_date: date
    recipe: str
    model_name: str
    model_version: int | None
    model_fingerprint: str
    run_id: str
    seed: int
    epochs: int
    settings: Settings
    delta_versions: Versions
    code_version: str


def input_versions() -> dict[str, int | None]:
    """The Delta version of each input table now; None for one that does not exist."""
    return {table.name: delta.version(table) for table in INPUTS}


def publication_row(publication: Publication, users: int) -> pa.Table:
    """The row of `publications`."""
    written = {
        "settings": json.dumps(dataclasses.asdict(publication.settings), sort_keys=True),
        "delta_versions": json.dumps(publication.delta_versions, sort_keys=True),
        "users": users,
        "published_at": datetime.now(UTC),
    }
    plain = {field.name: getattr(publication, field.name) for field in dataclasses.fields(publication)}
    return pa.Table.from_pylist([plain | written], delta.arrow_schema(PUBLICATIONS))


def tags(versions: Versions) -> dict[str, str]:
    """Return the tags of an MLflow run: its code version and the tables' Delta versions."""
    return {"code_version": code_version(), "delta_versions": json.dumps(versions, sort_keys=True)}


def load_publication(run_date: date | None = None) -> Publication:
    """The published night of this date, else the latest; UsageError where there is none or nothing recorded it."""
    rows_by_date = {row["run_date"]: row for row in delta.read(PUBLICATIONS).to_pylist()}
    if run_date is None and rows_by_date:
        run_date = max(rows_by_date)
    if run_date not in rows_by_date:
        raise UsageError(_not_published(run_date, sorted(rows_by_date)))
    return _publication(rows_by_date[run_date])


def _not_published(run_date: date | None, published_dates: list[date]) -> str:
    slates = delta.read(RECOMMENDATIONS, columns=["run_date"])["run_date"].unique().to_pylist()
    if run_date in slates or (run_date is None and slates):
        night = run_date or max(slates)
        return (
            f"the night of {night} was published before its lineage was recorded: "
            f"run it again (make nightly DATE={night}), which records it"
        )
    if run_date is None or not published_dates:
        return f"nothing is published{f' for {run_date}' if run_date else ' yet'}: run a night first"
    near = sorted(sorted(published_dates, key=lambda day: abs((day - run_date).days))[:_NEAREST])
    return f"nothing is published for {run_date}: the nearest nights are {', '.join(map(str, near))}"


def _publication(row: Mapping[str, str]) -> Publication:
    names = [field.name for field in dataclasses.fields(Publication)]
    parsed = {"settings": _settings(row["settings"]), "delta_versions": json.loads(row["delta_versions"])}
    return Publication(**{name: parsed.get(name, row[name]) for name in names})


def _settings(text: str) -> Settings:
    """The settings of then; a field that has gone since is left out, one that is new has its default."""
    known = {field.name for field in dataclasses.fields(Settings)}
    stored = {name: value for name, value in json.loads(text).items() if name in known}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
    }
    return Settings(**values)
