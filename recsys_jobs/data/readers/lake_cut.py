"""A lake at a run date: the pairs of its cut with their reviews, and each item's contents at that cut."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CONTENTS, CUTS, INTERACTIONS, ITEMS, REVIEWS
from recsys_jobs.data.readers.raw import EventLog, Item, RawData, build_raw_data
from recsys_jobs.lake import delta

_ORDER = [(name, "ascending") for name in ("interacted_at", "item_id", "review_hash")]


def read(folder: Path, run_date: date | None, settings: Settings) -> RawData:
    """Return the data set of a cut; UsageError where no date is given, or the lake has no such night."""
    nights = delta.read(CUTS, columns=["run_date"], lake=folder)["run_date"].to_pylist()
    if run_date is None or run_date not in nights:
        problem = "no run date is given" if run_date is None else f"no night of {run_date} is in it"
        known = f"{nights[0]} to {nights[-1]} ({len(nights)})" if nights else "there are none"
        raise UsageError(f"{folder} is a lake, and {problem}: add --date YYYY-MM-DD; its nights: {known}")
    events = delta.read_date(INTERACTIONS, run_date, lake=folder).sort_by(_ORDER)
    log = EventLog(
        user=events["user_id"].to_pylist(),
        item=events["item_id"].to_pylist(),
        time=pc.divide(events["interacted_at"].cast(pa.int64()), 1_000_000).to_numpy(),
        rating=events["rating"].to_numpy().astype(np.float32),
        review=_reviews(folder, events),
        ordered=True,
    )
    core = (settings.user_core, settings.item_core)
    return build_raw_data(folder, "lake", log, _catalogue(folder, run_date), ("price",), core)


def _reviews(folder: Path, events: pa.Table) -> list[str]:
    """Each event's text, title before it, as the pipeline joins them."""
    texts = delta.read(REVIEWS, columns=["review_hash", "title", "text"], lake=folder)
    joined = _joined(texts["title"], texts["text"])
    row = pc.index_in(events["review_hash"], value_set=texts["review_hash"].combine_chunks())
    return pc.fill_null(joined.take(row), "").to_pylist()


def _catalogue(folder: Path, run_date: date) -> dict[str, Item]:
    contents = delta.read_date(CONTENTS, run_date, lake=folder)
    versions = delta.read(ITEMS, lake=folder)
    versions = versions.append_column("raw", _joined(versions["title"], versions["description"]))
    columns = ["dataset", "item_hash", "item_id", "raw", "brand", "categories", "price"]
    known = {_version_key(row): row for row in versions.select(columns).to_pylist()}
    by_modality = {
        kind: {row["item_id"]: row for row in contents.filter(pc.equal(contents["modality"], kind)).to_pylist()}
        for kind in ("text", "image")
    }
    return {
        item: _item(folder, row, by_modality["image"][item], known.get(_version_key(row), {}))
        for item, row in by_modality["text"].items()
    }


def _version_key(row: dict) -> tuple[str, str, str]:
    return row["dataset"], row["item_hash"], row["item_id"]


def _item(folder: Path, text: dict, image: dict, version: dict) -> Item:
    photo = image["content_hash"]
    price = version.get("price")
    return Item(
        text=version.get("raw", "") if text["content_hash"] else "",
        labels=tuple(filter(None, [version.get("brand"), *(version.get("categories") or [])])),
        image=folder / "images" / photo[:2] / f"{photo}.jpg" if photo else None,
        numbers=(float("nan") if price is None else price,),
        described=text["reason"] is None,
    )


def _joined(title: pa.ChunkedArray, text: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(title, text, "\n", null_handling="replace", null_replacement="")
