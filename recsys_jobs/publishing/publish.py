"""Audits the staged tables and publishes them: the intent to `promotions`, one commit a table, then the alias.

A reader sees the night before or this night, never half of one. If the audit fails nothing is written, and the
published night stands. A run that was killed anywhere in between is repeated from the staged tables, and ends where it
would have ended. Nothing is ever fitted here.
"""

from __future__ import annotations

import logging
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from expectations.recommendations import audit_recommendations
from recsys_jobs.contracts.fault_injection import kill_point
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
from recsys_jobs.promotion.night_context import NightContext
from recsys_jobs.publishing import manifest, publish_intent
from recsys_jobs.publishing.blocklist import blocked_mask
from recsys_jobs.publishing.manifest import Manifest

_OTHER_TABLES = (PUBLICATIONS, POPULAR_ITEMS, SIMILAR_ITEMS)  # committed before the slates
log = logging.getLogger(__name__)


def publish(night: NightContext) -> None:
    """Audit, write the intent, commit the tables, the slates last, move the alias; safe to repeat at any point.

    The caller holds `delta.writer_lock(publish_intent.LOCK)`.
    """
    slates = _staged_slates(night)
    _audit(night, slates)
    intent = publish_intent.ensure_intent(night, slates)
    kill_point("publish:intent")
    _commit_tables(night, slates)
    kill_point("publish:tables")
    publish_intent.move_aliases(intent)
    kill_point("publish:alias")
    if intent["completed_at"] is None:
        decision_log.mark_completed(intent)
    staging.clear(night.run_date)
    kill_point("publish:cleared")


def commit_staged(night: NightContext) -> None:
    """Audit the staged tables and commit them, deciding nothing: no alias moves. Under the same lock."""
    slates = staging.read(RECOMMENDATIONS, night.run_date)
    _audit(night, slates)
    _commit_tables(night, slates)
    staging.clear(night.run_date)


def _commit_tables(night: NightContext, slates: pa.Table) -> None:
    for table in _OTHER_TABLES:
        delta.replace_date(table, night.run_date, staging.read(table, night.run_date))
    delta.replace_date(RECOMMENDATIONS, night.run_date, slates)
    users = len(pc.unique(slates["user_id"]))
    log.info("published %d rows for %d users as of %s", slates.num_rows, users, night.run_date)


def _staged_slates(night: NightContext) -> pa.Table:
    """The staged slates; made again where the decision has changed since, or they are published already."""
    planned = manifest.current(night)
    if planned is None or not _is_staged(planned, night.run_date):
        from recsys_jobs.publishing.stage_slates import stage_night

        log.info("no slates are staged that may be published now: making them again")
        stage_night(night)
    return staging.read(RECOMMENDATIONS, night.run_date)


def _is_staged(planned: Manifest, run_date: date) -> bool:
    """Whether all tables are staged whole, from the model that the night is to publish.

    The slates are staged first and `publications` last: if both are of one model, so are the tables between them.
    """
    if not all(staging.is_whole(table, run_date) for table in (*_OTHER_TABLES, RECOMMENDATIONS)):
        return False
    fingerprints: set[str] = set()
    versions: set[int | None] = set()
    for table in (RECOMMENDATIONS, PUBLICATIONS):
        rows = staging.read(table, run_date)
        fingerprints.update(pc.unique(rows["model_fingerprint"]).to_pylist())
        versions.add(publish_intent.version_of(rows))
    return fingerprints == {planned.fingerprint} and versions == {planned.version}


def _audit(night: NightContext, slates: pa.Table) -> None:
    owned = delta.read_date(INTERACTIONS, night.run_date, ["user_id", "item_id"])
    contents = delta.read_date(CONTENTS, night.run_date, ["item_id", "modality"])
    eligible = contents.filter(pc.equal(contents["modality"], "text"))["item_id"]
    allowed_I = ~blocked_mask(night.run_date, eligible.to_pylist())
    audit_recommendations(
        slates,
        owned=owned,
        eligible=eligible.filter(pa.array(allowed_I)),
        k=night.settings.k,
        min_coverage=night.settings.min_published_coverage,
        run_date=night.run_date,
    )
