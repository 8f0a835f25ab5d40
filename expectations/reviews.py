"""What a review must be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from expectations.patterns import HASH, ID, USER
from recsys_jobs.contracts.tables import REVIEWS

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

AMAZON_OPENS = datetime(1995, 7, 1, tzinfo=UTC)  # a review before it has its time in the wrong unit


def suite(run_date: date | None = None, now: datetime | None = None) -> ExpectationSuite:
    """Keys are there and stand once, ratings are stars, times lie between the shop's opening and tomorrow.

    The table holds every review that landed, later than `run_date` too: the bound is the clock's `now`.
    """
    import great_expectations as gx
    import great_expectations.expectations as gxe

    tomorrow = (now or datetime.now(UTC)) + timedelta(days=1)
    whole = [column.name for column in REVIEWS.columns if not column.nullable]
    return gx.ExpectationSuite(
        REVIEWS.name,
        expectations=[
            gxe.ExpectTableRowCountToBeBetween(min_value=1),
            *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in whole),
            gxe.ExpectCompoundColumnsToBeUnique(column_list=list(REVIEWS.key)),
            gxe.ExpectColumnValuesToMatchRegex(column="user_id", regex=USER),
            gxe.ExpectColumnValuesToMatchRegex(column="item_id", regex=ID),
            gxe.ExpectColumnValuesToBeBetween(column="rating", min_value=1, max_value=5),
            gxe.ExpectColumnValuesToBeBetween(column="reviewed_at", min_value=AMAZON_OPENS, max_value=tomorrow),
            gxe.ExpectColumnValuesToMatchRegex(column="review_hash", regex=HASH),
            gxe.ExpectColumnValuesToMatchRegex(column="text_hash", regex=HASH),
        ],
    )
