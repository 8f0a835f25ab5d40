"""From the lake's snapshot tables at one cut to the in-memory Dataset that models are fitted on.

Everything is sorted by key before it is indexed, and only contents that the cut's own rows name are read from
`embeddings`: vectors that other nights added change nothing.
I items, E events, R reviews, T text width, V image width, K edges; N new pairs of a holdout.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CONTENTS, INTERACTIONS, ITEM_EDGES
from recsys_jobs.data.dataset import Bools, Dataset, Floats, Ints
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.data.scatter import scatter_rows
from recsys_jobs.embed.needed import needed_reviews
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.embed.store import load_vectors
from recsys_jobs.lake import delta

ORDER = [("interacted_at", "ascending"), ("item_id", "ascending"), ("review_hash", "ascending")]


def load_dataset(as_of: date, settings: Settings) -> Dataset:
    """The Dataset of the cut `as_of`; JobError where its snapshot or embeddings are missing."""
    events = delta.read_date(INTERACTIONS, as_of).sort_by(ORDER)
    if not events.num_rows:
        raise JobError(f"no interactions as of {as_of}: run python -m spark.snapshots first")
    contents = delta.read_date(CONTENTS, as_of)
    users = pc.unique(events["user_id"]).sort().to_pylist()
    items = pc.unique(contents["item_id"]).sort().to_pylist()
    return Dataset(
        users=users,
        items=items,
        event_user_E=_positions(events["user_id"], users),
        event_item_E=_positions(events["item_id"], items),
        in_core_E=_bools(events["in_core"]),
        validation_E=_bools(pc.equal(events["split"], "validation")),
        **text_features(events, contents, items, settings),
        **image_features(contents, items, settings),
        **edge_features(as_of, items),
        reviews_per_user=settings.reviews_per_user,
        reviews_per_item=settings.reviews_per_item,
        rating_E=events["rating"].to_numpy().astype(np.float32),
        time_E=_ints(pc.divide(events["interacted_at"].cast(pa.int64()), 1_000_000)),
    )


def load_holdout(run_date: date, cut: date, dataset: Dataset) -> Holdout:
    """The pairs of (H, D] of users with a history at H, over the items that were eligible at H."""
    keys = ["user_id", "item_id"]
    now = delta.read_date(INTERACTIONS, run_date, keys)
    before = delta.read_date(INTERACTIONS, cut, keys)
    new = now.join(before, keys=keys, join_type="left anti")
    user_N = pc.index_in(new["user_id"], value_set=pa.array(dataset.users))
    item_N = pc.index_in(new["item_id"], value_set=pa.array(dataset.items))
    known_N = pc.is_valid(user_N)
    eligible_N = pc.and_(known_N, pc.is_valid(item_N))
    dropped = int(pc.sum(known_N).as_py() or 0) - int(pc.sum(eligible_N).as_py() or 0)
    return Holdout(_ints(user_N.filter(eligible_N)), _ints(item_N.filter(eligible_N)), dropped)


def text_features(events: pa.Table, contents: pa.Table, items: list[str], settings: Settings) -> dict[str, Any]:
    """Return vectors of item texts, and of the reviews that stand for users and items without a description."""
    rows = _contents_of(contents, "text", items)
    text_IT, present_I = _vectors_by_item(rows["content_hash"], "text", settings)
    from_reviews_I = _bools(pc.is_valid(rows["reason"]))
    hashes = pc.if_else(needed_reviews(events, contents, settings), events["text_hash"], None)
    unique = pc.unique(hashes.drop_null()).sort()
    review_RT = _vectors("text", unique.to_pylist(), settings)
    width = max(text_IT.shape[1], review_RT.shape[1])  # without contents there is no width
    if not text_IT.shape[1]:
        text_IT = np.zeros((len(items), width), np.float32)
    return {
        "text_IT": text_IT,
        "text_present_I": present_I,
        "text_from_reviews_I": from_reviews_I,
        "review_E": _positions_or(hashes, unique, -1),
        "review_RT": review_RT if len(review_RT) else np.zeros((0, width), np.float32),
    }


def image_features(contents: pa.Table, items: list[str], settings: Settings) -> dict[str, Any]:
    rows = _contents_of(contents, "image", items)
    image_IV, present_I = _vectors_by_item(rows["content_hash"], "image", settings)
    return {"image_IV": image_IV, "image_present_I": present_I}


def _contents_of(contents: pa.Table, modality: str, items: list[str]) -> pa.Table:
    rows = contents.filter(pc.equal(contents["modality"], modality)).sort_by("item_id")
    if rows["item_id"].to_pylist() != items:
        raise JobError(f"contents do not have one {modality} row an item: make the snapshots of this cut again")
    return rows


def _vectors_by_item(hashes: pa.ChunkedArray, modality: str, settings: Settings) -> tuple[Floats, Bools]:
    """Return a vector an item, zeros where it has no content, and which items have one."""
    unique = pc.unique(hashes.drop_null()).sort()
    vectors = _vectors(modality, unique.to_pylist(), settings)
    row_I = _positions_or(hashes, unique, -1)
    return scatter_rows(row_I, vectors), row_I >= 0


def _vectors(modality: str, hashes: list[str], settings: Settings) -> Floats:
    """Return a row for each hash; a matrix without rows and columns, and no need of an encoder, without hashes."""
    return load_vectors(encoder_name(settings, modality), hashes) if hashes else np.zeros((0, 0), np.float32)


def edge_features(as_of: date, items: list[str]) -> dict[str, Any]:
    """Return the edges with their kinds summed, each kind scaled to a mean weight of one; each pair once."""
    rows = delta.read_date(ITEM_EDGES, as_of)
    means = rows.group_by("kind").aggregate([("weight", "mean")])
    order = [(name, "ascending") for name in ("src", "dst", "kind")]
    scaled = rows.join(means, "kind").sort_by(order)
    weight = pc.divide(scaled["weight"], scaled["weight_mean"])
    summed = (
        scaled.append_column("scaled", weight)
        .group_by(["src", "dst"], use_threads=False)
        .aggregate([("scaled", "sum")])
    )
    return {
        "edge_src_K": _positions(summed["src"], items),
        "edge_dst_K": _positions(summed["dst"], items),
        "edge_weight_K": summed["scaled_sum"].to_numpy().astype(np.float32),
    }


def _positions(values: pa.ChunkedArray, ids: list[str]) -> Ints:
    positions = pc.index_in(values, value_set=pa.array(ids, pa.string()))
    if positions.null_count:
        raise JobError("a snapshot names an item that is not eligible at its cut: make the snapshots of this cut again")
    return _ints(positions)


def _positions_or(values: pa.ChunkedArray, ids: pa.Array, otherwise: int) -> Ints:
    return _ints(pc.fill_null(pc.index_in(values, value_set=ids, skip_nulls=True), otherwise))


def _ints(values: pa.ChunkedArray) -> Ints:
    if isinstance(values, pa.Array):
        return values.to_numpy(zero_copy_only=False).astype(np.int64)
    return values.to_numpy().astype(np.int64)


def _bools(values: pa.ChunkedArray) -> Bools:
    return np.asarray(values, dtype=np.bool_)
