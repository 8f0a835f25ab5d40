"""Audits what is staged and publishes it: one commit a table, then the alias.

`python -m recsys_jobs.publish --run-date D [--recipe NAME]`. A reader sees the night before or this
night, never half of one. If the audit fails nothing is written, and what was published stands.
"""

from __future__ import annotations

import logging

import pyarrow as pa
import pyarrow.compute as pc

from expectations.recommendations import audit_recommendations
from recsys_jobs import lake, staging, tracking
from recsys_jobs.blocklist import blocked
from recsys_jobs.lake_lock import run_step
from recsys_jobs.step import Step, parse_step
from recsys_jobs.tables import CONTENTS, INTERACTIONS, POPULAR_ITEMS, RECOMMENDATIONS, SIMILAR_ITEMS

log = logging.getLogger(__name__)


def publish(step: Step) -> None:
    """Audit, commit the three tables, move the alias; safe to repeat at any point."""
    slates = commit(step)
    _crown(step, slates)
    staging.clear(step.run_date)


def commit(step: Step) -> pa.Table:
    """Audit what is staged and commit the three tables, slates last; return the slates."""
    slates = staging.read(RECOMMENDATIONS, step.run_date)
    _audit(step, slates)
    for table in (POPULAR_ITEMS, SIMILAR_ITEMS):
        lake.replace_date(table, step.run_date, staging.read(table, step.run_date))
    lake.replace_date(RECOMMENDATIONS, step.run_date, slates)
    users = len(pc.unique(slates["user_id"]))
    log.info("published %d rows for %d users as of %s", slates.num_rows, users, step.run_date)
    return slates


def _audit(step: Step, slates: pa.Table) -> None:
    owned = lake.read_date(INTERACTIONS, step.run_date, ["user_id", "item_id"])
    contents = lake.read_date(CONTENTS, step.run_date, ["item_id", "modality"])
    eligible = contents.filter(pc.equal(contents["modality"], "text"))["item_id"]
    allowed_I = ~blocked(step.run_date, eligible.to_pylist())
    audit_recommendations(
        slates,
        owned=owned,
        eligible=eligible.filter(pa.array(allowed_I)),
        k=step.settings.k,
        min_coverage=step.settings.min_published_coverage,
        run_date=step.run_date,
    )


def _crown(step: Step, slates: pa.Table) -> None:
    """Move `champion` to the published version; a floor has none, and moves nothing."""
    versions = pc.unique(slates["model_version"]).drop_null().to_pylist()
    if versions:
        log.info("%s", tracking.crown(versions[0], str(step.run_date)))
    else:
        log.info("the floor is published: no alias moves")


def main() -> None:
    """The step's command line."""
    publish(parse_step(__doc__ or ""))


if __name__ == "__main__":
    run_step(main)
