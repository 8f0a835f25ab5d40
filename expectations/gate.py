"""The gate: a table's suite holds, or the night stops here.

In a step, `validate` takes the frame that the step wrote. On its own, `python -m expectations.gate TABLE
--run-date D` takes the table as it stands in the lake.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from expectations import embeddings, interactions, items, judged_files, reviews, stored
from expectations.judged_files import Judged
from expectations.recommendations import audit_recommendations
from recsys_jobs.contracts.errors import UsageError, run_main
from recsys_jobs.contracts.settings import load_settings, parse_date
from recsys_jobs.contracts.tables import (
    CONTENTS,
    EMBEDDINGS,
    INTERACTIONS,
    ITEMS,
    RECOMMENDATIONS,
    REVIEWS,
    TABLES,
    Table,
)
from recsys_jobs.lake import delta
from recsys_jobs.lake.delta import Files

if TYPE_CHECKING:
    import pyarrow.dataset as ds
    from great_expectations import ExpectationSuite

    from expectations.suite_runner import Frame

log = logging.getLogger(__name__)

IN_MEMORY = 1_000_000  # rows that are judged at once without Spark
SUITES: dict[str, Callable[[date], ExpectationSuite]] = {
    REVIEWS.name: reviews.suite,
    ITEMS.name: items.suite,
    INTERACTIONS.name: interactions.suite,
    EMBEDDINGS.name: embeddings.suite,
}


def main() -> None:
    """Gate one table of the lake as it stands; exit status 1 where it fails."""
    parser = argparse.ArgumentParser(prog="python -m expectations.gate", description=main.__doc__)
    parser.add_argument("table", choices=[*SUITES, RECOMMENDATIONS.name])
    parser.add_argument("--run-date", required=True, help="the night, as in 2014-03-01")
    parser.add_argument("--new", action="store_true", help="embeddings: what no gate has judged yet")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if args.new and args.table != EMBEDDINGS.name:
        raise UsageError(f"--new is for {EMBEDDINGS.name}: of {args.table} a night judges what is new before it enters")
    run_date = parse_date(args.run_date)
    if args.new:
        gate_new_embeddings(run_date)
    else:
        gate_stored(TABLES[args.table], run_date)


def validate(table: Table, frame: Frame, run_date: date, *, suite: ExpectationSuite | None = None) -> None:
    """Check `frame` with `suite`, else the table's own; JobError naming the expectations it fails.

    Args:
        frame: a Spark or pandas DataFrame; for `embeddings` the one that `embeddings.describe` makes.
        run_date: the night, or the cut of a snapshot; the report is filed under it.
    """
    from expectations.suite_runner import require_success, run_suite

    require_success(table, run_date, [run_suite(suite or SUITES[table.name](run_date), frame, run_date)])


def validate_rows(table: Table, rows: ds.Dataset, run_date: date) -> None:
    """Check rows that are not in the table yet, file by file, with the table's suite; JobError as in `validate`."""
    from expectations.suite_runner import columns

    suite = SUITES[table.name](run_date)
    for file in rows.get_fragments():
        validate(table, file.to_table(columns=columns(suite)).to_pandas(), run_date, suite=suite)


def validate_date(table: Table, rows: ds.Dataset, frame: Frame, day: date) -> None:
    """Check one date's rows of a partitioned table; JobError as in `validate`.

    `rows` and `frame` are the same, as files and as a Spark DataFrame, which is judged where there are many.
    """
    import pyarrow.compute as pc

    from expectations.suite_runner import columns

    suite, of_date = SUITES[table.name](day), pc.field(table.partitioned_by[0]) == day
    if rows.count_rows(filter=of_date) > IN_MEMORY:
        return validate(table, frame.where(frame[table.partitioned_by[0]] == day), day, suite=suite)
    return validate(table, rows.to_table(columns(suite), filter=of_date).to_pandas(), day, suite=suite)


def gate_new_embeddings(run_date: date) -> None:
    """Check the vectors in files that no gate has passed yet; JobError as in `validate`."""
    judged = judged_files.load()
    present = delta.files(EMBEDDINGS)
    new = delta.scan_added(EMBEDDINGS, judged.files)
    if not new.count_rows():
        log.info("%s: nothing that was not judged before", EMBEDDINGS.name)
        return
    described = embeddings.describe(new.to_batches(columns=EMBEDDINGS.names), judged.dimensions)
    validate(EMBEDDINGS, described, run_date)
    firsts = described.drop_duplicates("encoder")
    dimensions = dict(zip(firsts["encoder"], firsts["encoder_dimension"].astype(int).tolist(), strict=True))
    passed = present.paths & (judged.files.paths | frozenset(new.files))
    judged_files.save(Judged(Files(paths=passed), {**judged.dimensions, **dimensions}))


def gate_stored(table: Table, run_date: date) -> None:
    """Check the stored table: the date's snapshot where it has one, else all of it."""
    from expectations.suite_runner import columns

    if table is RECOMMENDATIONS:
        return _gate_recommendations(run_date)
    if table is EMBEDDINGS:
        return validate(table, embeddings.describe(stored.batches(table)), run_date)
    suite = SUITES[table.name](run_date)
    rows = stored.rows(table, columns(suite), run_date if table.partitioned_by else None)
    return validate(table, rows.to_pandas(), run_date, suite=suite)


def _gate_recommendations(run_date: date) -> None:
    """Check the published slates against the snapshot of their date and the present settings."""
    settings = load_settings()
    audit_recommendations(
        stored.rows(RECOMMENDATIONS, RECOMMENDATIONS.names, run_date),
        owned=stored.rows(INTERACTIONS, ["user_id", "item_id"], run_date),
        eligible=stored.rows(CONTENTS, ["item_id"], run_date)["item_id"],
        k=settings.k,
        min_coverage=settings.min_published_coverage,
        run_date=run_date,
    )


if __name__ == "__main__":
    run_main(main)
