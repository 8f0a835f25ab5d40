"""What a version of an item must be."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from expectations.patterns import HASH, ID
from recsys_jobs.contracts.tables import ITEMS

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite


def suite(run_date: date | None = None) -> ExpectationSuite:
    """Keys are there and stand once, prices are not negative. No item at all is fine: some dumps list none."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    whole = [column.name for column in ITEMS.columns if not column.nullable]
    return gx.ExpectationSuite(
        ITEMS.name,
        expectations=[
            *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in whole),
            gxe.ExpectCompoundColumnsToBeUnique(column_list=list(ITEMS.key), ignore_row_if="never"),
            gxe.ExpectColumnValuesToMatchRegex(column="item_id", regex=ID),
            gxe.ExpectColumnValuesToBeBetween(column="price", min_value=0),
            gxe.ExpectColumnValuesToMatchRegex(column="item_hash", regex=HASH),
            gxe.ExpectColumnValuesToMatchRegex(column="text_hash", regex=HASH),
        ],
    )
