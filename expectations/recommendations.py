"""What a night's slates must be, seen three ways: row by row, user by user, and over the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import pyarrow as pa

from recsys_jobs.contracts.tables import RECOMMENDATIONS

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

FINITE = 1e300  # scores are doubles; the bound that infinity alone breaks

# Every identifier below is ours; what comes from outside stands in the registered tables.
_ROWS = """
    select s.run_date, s.user_id, s.rank::bigint as rank, s.item_id, s.score, s.model_name, s.model_fingerprint,
           lag(s.score) over (partition by s.user_id order by s.rank) - s.score as score_drop,
           e.item_id is not null as is_eligible,
           o.item_id is not null as is_owned
    from slates s
    left join eligible e on e.item_id = s.item_id
    left join owned o on o.user_id = s.user_id and o.item_id = s.item_id
    order by s.user_id, s.rank
"""
_USERS = """
    with slate as (
        select user_id, count(*) as rows, count(distinct rank) as ranks, max(rank) as last_rank,
               count(distinct item_id) as items
        from slates group by user_id
    ), history as (
        select o.user_id, count(e.item_id) as owned_items
        from owned o left join eligible e on e.item_id = o.item_id group by o.user_id
    ), catalogue as (select count(*) as items from eligible)
    select coalesce(h.user_id, s.user_id) as user_id,
           h.user_id is not null as has_event,
           coalesce(s.rows, 0) as rows,
           case when h.user_id is null then 0 else least($k, c.items - h.owned_items) end as expected_rows,
           coalesce(s.ranks, 0) as ranks,
           coalesce(s.last_rank, 0) as last_rank,
           coalesce(s.items, 0) as items
    from history h full join slate s on s.user_id = h.user_id cross join catalogue c
    order by 1
"""
_COVERAGE = """
    select count(*) as eligible_items, count(s.item_id) as shown_items,
           case when count(*) = 0 then 0.0 else count(s.item_id) / count(*) end as coverage
    from eligible e left join (select distinct item_id from slates) s on s.item_id = e.item_id
"""


@dataclass(frozen=True)
class Views:
    """The frames that the three suites judge."""

    rows: pd.DataFrame  # a slate's row: rank, score, score_drop (to the rank before), is_eligible, is_owned
    users: pd.DataFrame  # a user: rows, expected_rows, ranks and items (distinct), last_rank, has_event
    coverage: pd.DataFrame  # one row: eligible_items, shown_items, coverage


def audit_recommendations(
    slates: pa.Table | pd.DataFrame,
    *,
    owned: pa.Table | pd.DataFrame,
    eligible: pa.ChunkedArray | pa.Array | list[str],
    k: int,
    min_coverage: float,
    run_date: date,
) -> None:
    """Check the slates of `run_date` before users read them; JobError naming the expectations they fail.

    Args:
        slates: rows with the columns of `recommendations`.
        owned: user_id, item_id of all events before the cut; its users are the ones who get a slate.
        eligible: the items that may be shown; duplicates do no harm.
        k: the length of a slate; a user with fewer items left gets all of those.
        min_coverage: share of the eligible items that some slate must show.
    """
    from expectations.suite_runner import require_success, run_suite

    views = measure(slates, owned, eligible, k)
    verdicts = [
        run_suite(rows_suite(k, run_date), views.rows, run_date),
        run_suite(users_suite(), views.users, run_date),
        run_suite(coverage_suite(min_coverage), views.coverage, run_date),
    ]
    require_success(RECOMMENDATIONS, run_date, verdicts)


def measure(
    slates: pa.Table | pd.DataFrame,
    owned: pa.Table | pd.DataFrame,
    eligible: pa.ChunkedArray | pa.Array | list[str],
    k: int,
) -> Views:
    """Join slates, histories and catalogue, in DuckDB: a million rows take a second or two."""
    with duckdb.connect() as database:
        database.execute("set enable_progress_bar = false")
        database.register("slates", slates)
        database.register("owned_pairs", owned)
        database.register("eligible_items", pa.table({"item_id": eligible}))
        database.execute("create table owned as select distinct user_id, item_id from owned_pairs")
        database.execute("create table eligible as select distinct item_id from eligible_items")
        return Views(
            _frame(database.sql(_ROWS)),
            _frame(database.sql(_USERS, params={"k": k})),
            _frame(database.sql(_COVERAGE)),
        )


def _frame(relation: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """As pandas, equal strings held once: names repeat on every row."""
    return relation.to_arrow_table().to_pandas(deduplicate_objects=True)


def rows_suite(k: int, run_date: date) -> ExpectationSuite:
    """Nothing is missing, ranks lie in 1 to K, scores are finite and fall, items may be shown and are new to users."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    whole = [column.name for column in RECOMMENDATIONS.columns if not column.nullable]
    return gx.ExpectationSuite(
        RECOMMENDATIONS.name,
        expectations=[
            *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in whole),
            gxe.ExpectColumnValuesToBeInSet(column="run_date", value_set=[run_date]),
            gxe.ExpectColumnValuesToBeBetween(column="rank", min_value=1, max_value=k),
            gxe.ExpectColumnValuesToBeBetween(column="score", min_value=-FINITE, max_value=FINITE),
            gxe.ExpectColumnValuesToBeBetween(column="score_drop", min_value=0),
            gxe.ExpectColumnValuesToBeInSet(column="is_eligible", value_set=[True]),
            gxe.ExpectColumnValuesToBeInSet(column="is_owned", value_set=[False]),
        ],
    )


def users_suite() -> ExpectationSuite:
    """Everybody with an event, and nobody else, has min(K, eligible − owned) rows, ranked 1, 2, 3 …, no item twice."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    return gx.ExpectationSuite(
        f"{RECOMMENDATIONS.name}_users",
        expectations=[
            gxe.ExpectTableRowCountToBeBetween(min_value=1),
            gxe.ExpectColumnValuesToBeInSet(column="has_event", value_set=[True]),
            gxe.ExpectColumnPairValuesToBeEqual(column_A="rows", column_B="expected_rows"),
            gxe.ExpectColumnPairValuesToBeEqual(column_A="ranks", column_B="rows"),
            gxe.ExpectColumnPairValuesToBeEqual(column_A="last_rank", column_B="rows"),
            gxe.ExpectColumnPairValuesToBeEqual(column_A="items", column_B="rows"),
        ],
    )


def coverage_suite(min_coverage: float) -> ExpectationSuite:
    """Slates that show everybody the same few items are broken even where each of them is well formed."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    return gx.ExpectationSuite(
        f"{RECOMMENDATIONS.name}_coverage",
        expectations=[gxe.ExpectColumnValuesToBeBetween(column="coverage", min_value=min_coverage)],
    )
