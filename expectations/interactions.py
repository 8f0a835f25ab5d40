"""What a snapshot of interactions must be."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from expectations.patterns import HASH, ID, USER
from recsys_jobs.contracts.tables import INTERACTIONS

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite


def suite(cut: date) -> ExpectationSuite:
    """The snapshot at `cut`: a pair stands once, no event is later than the cut, the k-core is not empty."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    end = datetime.combine(cut + timedelta(days=1), time(), tzinfo=UTC)
    whole = [column.name for column in INTERACTIONS.columns if not column.nullable]
    return gx.ExpectationSuite(
        INTERACTIONS.name,
        expectations=[
            gxe.ExpectTableRowCountToBeBetween(min_value=1),
            *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in whole),
            gxe.ExpectCompoundColumnsToBeUnique(column_list=list(INTERACTIONS.key)),
            gxe.ExpectColumnValuesToBeInSet(column="as_of", value_set=[cut]),
            gxe.ExpectColumnValuesToMatchRegex(column="user_id", regex=USER),
            gxe.ExpectColumnValuesToMatchRegex(column="item_id", regex=ID),
            gxe.ExpectColumnValuesToBeBetween(column="interacted_at", max_value=end, strict_max=True),
            gxe.ExpectColumnValuesToBeBetween(column="rating", min_value=1, max_value=5),
            gxe.ExpectColumnDistinctValuesToContainSet(column="in_core", value_set=[True]),
            gxe.ExpectColumnValuesToBeInSet(column="split", value_set=["train", "validation"]),
            gxe.ExpectColumnValuesToMatchRegex(column="review_hash", regex=HASH),
            gxe.ExpectColumnValuesToMatchRegex(column="text_hash", regex=HASH),
        ],
    )
