"""Audits what is staged and publishes it: the intent to `promotions`, one commit a table, then the alias.

A reader sees the night before or this
night, never half of one. If the audit fails nothing is written, and what was published stands. A run that
was killed anywhere in between is done again from what is staged, and ends where it would have ended.
"""

from __future__ import annotations

import logging

import pyarrow as pa
import pyarrow.compute as pc

from expectations.recommendations import audit_recommendations
from recsys_jobs.contracts.fault_injection import point
from recsys_jobs.contracts.tables import (
    CONTENTS,
    INTERACTIONS,
    POPULAR_ITEMS,
    PUBLICATIONS,
    RECOMMENDATIONS,
    SIMILAR_ITEMS,
)
from recsys_jobs.lake import delta, staging
from recsys_jobs.promotion import decision_log
from recsys_jobs.promotion import serving_rules as promotions
from recsys_jobs.promotion.night_context import NightContext
from recsys_jobs.publishing import publish_intent
from recsys_jobs.publishing.blocklist import blocked

_BESIDE = (PUBLICATIONS, POPULAR_ITEMS, SIMILAR_ITEMS)  # what goes with the slates
log = logging.getLogger(__name__)


def publish(night: NightContext) -> None:
    """Audit, write the intent, commit the tables, the slates last, move the alias; safe to repeat at any point.

    The caller holds `lake.alone(intent.LOCK)`.
    """
    slates = _staged(night)
    _audit(night, slates)
    intended = publish_intent.of(night, slates)
    point("publish:intent")
    _commit(night, slates)
    point("publish:tables")
    publish_intent.move_aliases(intended)
    point("publish:alias")
    if intended["completed_at"] is None:
        decision_log.complete(intended)
    staging.clear(night.run_date)
    point("publish:cleared")


def commit(night: NightContext) -> None:
    """Audit what is staged and commit it, deciding nothing: no alias moves. Under the same lock."""
    slates = staging.read(RECOMMENDATIONS, night.run_date)
    _audit(night, slates)
    _commit(night, slates)
    staging.clear(night.run_date)


def _commit(night: NightContext, slates: pa.Table) -> None:
    for table in _BESIDE:
        delta.replace_date(table, night.run_date, staging.read(table, night.run_date))
    delta.replace_date(RECOMMENDATIONS, night.run_date, slates)
    users = len(pc.unique(slates["user_id"]))
    log.info("published %d rows for %d users as of %s", slates.num_rows, users, night.run_date)


def _staged(night: NightContext) -> pa.Table:
    """The staged slates; made again where somebody decided otherwise since, or published them already."""
    if not _stands(night):
        from recsys_jobs.publishing.stage_slates import stage_night

        log.info("no slates are staged that may be published now: making them again")
        stage_night(night)
    return staging.read(RECOMMENDATIONS, night.run_date)


def _stands(night: NightContext) -> bool:
    """Whether what is staged is whole, and what the log of decisions wants to serve."""
    if not all(staging.is_whole(table, night.run_date) for table in (*_BESIDE, RECOMMENDATIONS)):
        return False
    rows, version = decision_log.everything(), publish_intent.version_of(staging.read(RECOMMENDATIONS, night.run_date))
    held = promotions.hold(rows, night.run_date)
    return version == held.version if held else version not in promotions.rejected(rows)


def _audit(night: NightContext, slates: pa.Table) -> None:
    owned = delta.read_date(INTERACTIONS, night.run_date, ["user_id", "item_id"])
    contents = delta.read_date(CONTENTS, night.run_date, ["item_id", "modality"])
    eligible = contents.filter(pc.equal(contents["modality"], "text"))["item_id"]
    allowed_I = ~blocked(night.run_date, eligible.to_pylist())
    audit_recommendations(
        slates,
        owned=owned,
        eligible=eligible.filter(pa.array(allowed_I)),
        k=night.settings.k,
        min_coverage=night.settings.min_published_coverage,
        run_date=night.run_date,
    )
