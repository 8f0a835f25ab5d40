"""What an embedding must be.

Great Expectations cannot look inside an array, so the gate sees each vector by what `describe` measures:
its dimension, its norm, and how many of its numbers are not numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from expectations.patterns import HASH
from recsys_jobs.contracts.tables import EMBEDDINGS

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite


def suite(run_date: date | None = None) -> ExpectationSuite:
    """Keys stand once, an encoder's vectors have one dimension, all is finite, no vector is zero.

    No row at all is fine: a dump without pictures leaves the image encoder nothing to do.
    """
    import great_expectations as gx
    import great_expectations.expectations as gxe

    whole = [*EMBEDDINGS.key, "dimension"]
    return gx.ExpectationSuite(
        EMBEDDINGS.name,
        expectations=[
            *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in whole),
            gxe.ExpectCompoundColumnsToBeUnique(column_list=list(EMBEDDINGS.key)),
            gxe.ExpectColumnValuesToMatchRegex(column="content_hash", regex=HASH),
            gxe.ExpectColumnPairValuesToBeEqual(column_A="dimension", column_B="encoder_dimension"),
            gxe.ExpectColumnValuesToBeInSet(column="not_finite", value_set=[0]),
            gxe.ExpectColumnValuesToBeBetween(column="norm", min_value=0, strict_min=True),
        ],
    )


def describe(batches: Iterable[pa.RecordBatch], dimensions: Mapping[str, int] | None = None) -> pd.DataFrame:
    """One row an embedding: encoder, content_hash, dimension, norm, not_finite, encoder_dimension.

    `norm` is that of the finite numbers, `not_finite` counts the others, `encoder_dimension` is the encoder's as
    `dimensions` has it, else its most common one here. Only these are kept of a batch, never its vectors.
    """
    empty = pd.DataFrame({"encoder": [], "content_hash": [], "dimension": [], "norm": [], "not_finite": []})
    described = pd.concat([empty, *(_describe_batch(batch) for batch in batches)], ignore_index=True)
    common = described.groupby("encoder")["dimension"].agg(lambda dimensions: dimensions.mode().min())
    return described.assign(encoder_dimension=described["encoder"].map({**common, **(dimensions or {})}))


def _describe_batch(batch: pa.RecordBatch) -> pd.DataFrame:
    vectors = batch.column("vector")
    numbers = pc.list_flatten(vectors).to_numpy(zero_copy_only=False).astype(np.float64)  # a null becomes NaN
    row_of = pc.list_parent_indices(vectors).to_numpy(zero_copy_only=False)
    finite = np.isfinite(numbers)
    squares = np.bincount(row_of, weights=np.where(finite, numbers, 0.0) ** 2, minlength=len(vectors))
    return pd.DataFrame(
        {
            "encoder": batch.column("encoder").to_pandas(),
            "content_hash": batch.column("content_hash").to_pandas(),
            "dimension": pc.list_value_length(vectors).to_pandas(),
            "norm": np.sqrt(squares),
            "not_finite": np.bincount(row_of[~finite], minlength=len(vectors)),
        }
    )
