"""From the lake's snapshot tables at one cut to the in-memory Dataset that models are fitted on.

Everything is sorted by key before it is indexed, and only what the cut's own rows name is read from
`embeddings`: what other nights encoded meanwhile changes nothing.
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
        event_user_E=_index(events["user_id"], users),
        event_item_E=_index(events["item_id"], items),
        in_core_E=_bools(events["in_core"]),
        validation_E=_bools(pc.equal(events["split"], "validation")),
        **_words(events, contents, items, settings),
        **_images(contents, items, settings),
        **_edges(as_of, items),
        reviews_per_user=settings.reviews_per_user,
        reviews_per_item=settings.reviews_per_item,
        rating_E=events["rating"].to_numpy().astype(np.float32),
        time_E=_ints(pc.divide(events["interacted_at"].cast(pa.int64()), 1_000_000)),
    )


def load_holdout(run_date: date, cut: date, dataset: Dataset) -> Holdout:
    """The pairs of (H, D] of users with a history at H, over the items that were eligible at H."""
    now = delta.read_date(INTERACTIONS, run_date, ["user_id", "item_id"])
    before = delta.read_date(INTERACTIONS, cut, ["user_id", "item_id"])
    new = now.join(before, keys=["user_id", "item_id"], join_type="left anti")
    user_T = pc.index_in(new["user_id"], value_set=pa.array(dataset.users))
    item_T = pc.index_in(new["item_id"], value_set=pa.array(dataset.items))
    known = pc.is_valid(user_T)
    eligible = pc.and_(known, pc.is_valid(item_T))
    dropped = int(pc.sum(known).as_py() or 0) - int(pc.sum(eligible).as_py() or 0)
    return Holdout(_ints(user_T.filter(eligible)), _ints(item_T.filter(eligible)), dropped)


def _words(events: pa.Table, contents: pa.Table, items: list[str], settings: Settings) -> dict[str, Any]:
    """Vectors of the items' texts, and of the reviews that stand for users and for items without a description."""
    rows = _modality(contents, "text", items)
    text_IT, present_I = _spread(rows["content_hash"], "text", settings)
    from_reviews_I = _bools(pc.is_valid(rows["reason"]))
    hashes = pc.if_else(needed_reviews(events, contents, settings), events["text_hash"], None)
    unique = pc.unique(hashes.drop_null()).sort()
    review_RT = _vectors("text", unique.to_pylist(), settings)
    width = max(text_IT.shape[1], review_RT.shape[1])  # an encoder that was asked for nothing tells no width
    return {
        "text_IT": text_IT.reshape(len(items), -1) if text_IT.shape[1] else np.zeros((len(items), width), np.float32),
        "text_present_I": present_I,
        "text_from_reviews_I": from_reviews_I,
        "review_E": _index_or(hashes, unique, -1),
        "review_RT": review_RT if len(review_RT) else np.zeros((0, width), np.float32),
    }


def _images(contents: pa.Table, items: list[str], settings: Settings) -> dict[str, Any]:
    rows = _modality(contents, "image", items)
    vectors, present = _spread(rows["content_hash"], "image", settings)
    return {"image_IV": vectors, "image_present_I": present}


def _modality(contents: pa.Table, modality: str, items: list[str]) -> pa.Table:
    rows = contents.filter(pc.equal(contents["modality"], modality)).sort_by("item_id")
    if rows["item_id"].to_pylist() != items:
        raise JobError(f"contents do not have one {modality} row an item: make the snapshots of this cut again")
    return rows


def _spread(hashes: pa.ChunkedArray, modality: str, settings: Settings) -> tuple[Floats, Bools]:
    """One vector row an item, zeros where there is no content, and where there is some."""
    unique = pc.unique(hashes.drop_null()).sort()
    vectors = _vectors(modality, unique.to_pylist(), settings)
    row_I = _index_or(hashes, unique, -1)
    present_I = row_I >= 0
    spread = np.zeros((len(row_I), vectors.shape[1]), dtype=np.float32)
    spread[present_I] = vectors[row_I[present_I]]
    return spread, present_I


def _vectors(modality: str, hashes: list[str], settings: Settings) -> Floats:
    """One row a hash; no hashes give a matrix of no rows and no columns, and need no encoder."""
    return load_vectors(encoder_name(settings, modality), hashes) if hashes else np.zeros((0, 0), np.float32)


def _edges(as_of: date, items: list[str]) -> dict[str, Any]:
    """Edges with their kinds summed, each kind scaled to a mean weight of one; each pair once."""
    rows = delta.read_date(ITEM_EDGES, as_of)
    means = rows.group_by("kind").aggregate([("weight", "mean")])
    scaled = rows.join(means, "kind").sort_by([(name, "ascending") for name in ("src", "dst", "kind")])
    weight = pc.divide(scaled["weight"], scaled["weight_mean"])
    summed = (
        scaled.append_column("scaled", weight)
        .group_by(["src", "dst"], use_threads=False)
        .aggregate([("scaled", "sum")])
    )
    return {
        "edge_src_K": _index(summed["src"], items),
        "edge_dst_K": _index(summed["dst"], items),
        "edge_weight_K": summed["scaled_sum"].to_numpy().astype(np.float32),
    }


def _index(values: pa.ChunkedArray, ids: list[str]) -> Ints:
    found = pc.index_in(values, value_set=pa.array(ids, pa.string()))
    if found.null_count:
        raise JobError("a snapshot names an item that is not eligible at its cut: make the snapshots of this cut again")
    return _ints(found)


def _index_or(values: pa.ChunkedArray, ids: pa.Array, otherwise: int) -> Ints:
    return _ints(pc.fill_null(pc.index_in(values, value_set=ids, skip_nulls=True), otherwise))


def _ints(values: pa.ChunkedArray) -> Ints:
    return (
        values.to_numpy(zero_copy_only=False).astype(np.int64)
        if isinstance(values, pa.Array)
        else values.to_numpy().astype(np.int64)
    )


def _bools(values: pa.ChunkedArray) -> Bools:
    return np.asarray(values, dtype=np.bool_)
