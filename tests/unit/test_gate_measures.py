"""What the gates measure before Great Expectations judges it."""

from __future__ import annotations

import math

import pandas as pd
import pyarrow as pa

from expectations.embeddings import describe
from expectations.recommendations import measure


def test_a_vector_is_seen_by_its_dimension_its_norm_and_its_broken_numbers() -> None:
    vectors = [[3.0, 4.0], [math.nan, 1.0], [None, math.inf], [], None, [0.0, 0.0]]
    batch = pa.RecordBatch.from_pydict(
        {
            "encoder": pa.array(["m"] * 6),
            "content_hash": pa.array(list("abcdef")),
            "vector": pa.array(vectors, pa.list_(pa.float32())),
        }
    )
    described = describe([batch.slice(0, 2), batch.slice(2)])
    assert described["content_hash"].tolist() == list("abcdef")
    assert described["norm"].tolist() == [5.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert described["not_finite"].tolist() == [0, 1, 2, 0, 0, 0]
    assert described["dimension"].fillna(-1).tolist() == [2, 2, 2, 0, -1, 2]
    assert described["encoder_dimension"].tolist() == [2] * 6


def test_slates_are_seen_row_by_row_user_by_user_and_over_the_catalogue() -> None:
    slates = pd.DataFrame(
        [("ann", 2, "i3", 0.5), ("ann", 1, "i2", 0.9), ("bob", 1, "i9", 0.1), ("zoe", 3, "i1", 0.2)],
        columns=["user_id", "rank", "item_id", "score"],
    ).assign(run_date=None, model_name=None, model_fingerprint=None)
    owned = pd.DataFrame(
        [("ann", "i1"), ("ann", "i1"), ("bob", "i1"), ("bob", "i2"), ("bob", "i9"), ("eve", "i3")],
        columns=["user_id", "item_id"],
    )
    views = measure(slates, owned, ["i1", "i2", "i3", "i3"], k=2)
    seen = views.rows[["user_id", "rank", "item_id", "is_eligible", "is_owned"]]
    assert list(seen.itertuples(index=False, name=None)) == [
        ("ann", 1, "i2", True, False),
        ("ann", 2, "i3", True, False),
        ("bob", 1, "i9", False, True),
        ("zoe", 3, "i1", True, False),
    ]
    assert views.rows["score_drop"].fillna(-1.0).round(6).tolist() == [-1.0, 0.4, -1.0, -1.0]
    columns = ["user_id", "has_event", "rows", "expected_rows", "ranks", "last_rank", "items"]
    assert list(views.users[columns].itertuples(index=False, name=None)) == [
        ("ann", True, 2, 2, 2, 2, 2),
        ("bob", True, 1, 1, 1, 1, 1),  # i9 is his and cannot be shown: of the three eligible he owns two
        ("eve", True, 0, 2, 0, 0, 0),
        ("zoe", False, 1, 0, 1, 3, 1),
    ]
    assert list(views.coverage.itertuples(index=False, name=None)) == [(3, 3, 1.0)]


def test_an_empty_catalogue_is_covered_by_nothing() -> None:
    nothing = pd.DataFrame(
        {
            name: pd.Series(dtype=kind)
            for name, kind in {"user_id": str, "rank": int, "item_id": str, "score": float}.items()
        }
    ).assign(run_date=None, model_name=None, model_fingerprint=None)
    views = measure(nothing, nothing[["user_id", "item_id"]], [], k=2)
    assert list(views.coverage.itertuples(index=False, name=None)) == [(0, 0, 0.0)]
