"""What a person may do about the version that serves: promote one, roll back, release; and what was cut off.

Each is a row in `promotions` first; then the latest night is published again from the version it names,
and the alias follows. Nothing is trained for that but the floor, where a rollback falls to it and no night has
published it. A row that is still open is what a kill left: whoever comes next finishes it.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.fault_injection import kill_point
from recsys_jobs.contracts.settings import Settings, load_settings
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta
from recsys_jobs.promotion import decision_log, manual_alias, serving_rules
from recsys_jobs.promotion.decision_log import Row
from recsys_jobs.promotion.night_context import night_context
from recsys_jobs.publishing import publish_intent
from recsys_jobs.registry import mlflow_client

log = logging.getLogger(__name__)


def promote(version: int, reason: str, settings: Settings) -> None:
    """Let this version serve the latest night, hold it there, and put its recipe in force."""
    with delta.writer_lock(publish_intent.LOCK):
        night = _ready(settings)
        tags = mlflow_client.night_version(version).tags
        if tags["run_date"] > str(night):
            raise UsageError(f"version {version} was fitted for {tags['run_date']}, after the latest night, {night}")
        why = f"version {version} ({tags['recipe']} of {tags['run_date']}) was promoted"
        _carry_out(_row("promote", night, version, f"{why}{_because(reason)}", settings), settings)


def rollback(reason: str, settings: Settings) -> None:
    """Reject what serves, and publish the latest night again from the version that served before it."""
    with delta.writer_lock(publish_intent.LOCK):
        if _finish_all(settings):
            log.warning("that was left over. Nothing else was rolled back: call again to go further back")
            return
        night = _ready(settings)
        serving = publish_intent.version_of(delta.read_date(RECOMMENDATIONS, night))
        rows = decision_log.all_rows()
        held = serving_rules.hold(rows, night)
        if held is not None and held.version is None:
            raise JobError("every version was rolled back and the floor serves: there is nothing further back")
        target = serving_rules.previous_version(rows, serving)
        went = f"version {serving} was rolled back" if serving else "the floor was rolled back"
        why = f"{went} to {f'version {target}' if target else 'the floor: no version before it is left'}"
        row = _row("rollback", night, target, f"{why}{_because(reason)}", settings)
        _carry_out(row | {"rejected_version": serving}, settings)


def release(reason: str, settings: Settings) -> None:
    """Let the nights after the latest publish what they fit; what was rejected stays rejected."""
    with delta.writer_lock(publish_intent.LOCK):
        night = _ready(settings)
        held = serving_rules.hold(decision_log.all_rows(), night + timedelta(days=1))
        if held is None:
            raise UsageError("nothing is held: every night publishes its own fit if it passes the gate")
        what = f"version {held.version}" if held.version else "the floor"
        why = f"{what} was released: nights after {night} publish what they fit{_because(reason)}"
        row = _row("release", night + timedelta(days=1), held.version, why, settings)
        decision_log.mark_completed(decision_log.append_move(row))
        log.info("%s", why)


def at_start(run_date: date) -> bool:
    """Finish what was cut off, and take over what a person did in MLflow; whether the latter has changed the recipe."""
    with delta.writer_lock(publish_intent.LOCK):
        try:
            _finish_all(load_settings())  # as configured: an older night has encoders of its own
        except (JobError, UsageError) as error:
            log.error("given up, and the night goes on: %s", error)
        last = max(delta.dates(RECOMMENDATIONS), default=None)
        return (last is None or run_date > last) and manual_alias.record_manual_move(run_date)


def _ready(settings: Settings) -> date:
    """The latest night, once nothing is open and nothing done by hand is unknown."""
    _finish_all(settings)
    night = max(delta.dates(RECOMMENDATIONS), default=None)
    if night is None:
        raise UsageError("nothing is published yet: run a night first")
    manual_alias.record_manual_move(night + timedelta(days=1))
    return night


def _row(kind: str, effective: date, version: int | None, reason: str, settings: Settings) -> Row:
    tags = (
        mlflow_client.night_version(version).tags
        if version
        else {"recipe": decision_log.last_floor(), "fingerprint": ""}
    )
    return {
        "kind": kind,
        "effective_date": effective,
        "recipe": tags["recipe"],
        "model_fingerprint": tags["fingerprint"],
        "model_version": version,
        "decision": "passed",
        "publishes": tags["recipe"],
        "reason": reason,
        "completed_at": None,
    }


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _carry_out(row: Row, settings: Settings) -> None:
    row = decision_log.append_move(row)
    log.info("%s", row["reason"])
    kill_point(f"{row['kind']}:intent")
    _finish(row, settings)


def _finish_all(settings: Settings) -> bool:
    """Carry out every open move; whether there was a person's among them."""
    left = serving_rules.open_moves(decision_log.all_rows())
    for row in left:
        if row["decision_id"] not in {
            still["decision_id"] for still in serving_rules.open_moves(decision_log.all_rows())
        }:
            continue  # a night's own row is closed by what follows a person's
        log.warning("finishing what was cut off: %s of %s, %s", row["kind"], row["effective_date"], row["reason"])
        _finish(row, settings)
    return any(row["kind"] != "publish" for row in left)


def _finish(row: Row, settings: Settings) -> None:
    """Let tables and alias follow an open row; one that cannot be followed is given up, and says why."""
    from recsys_jobs.publishing.publish import publish  # it brings Great Expectations, which most calls do without
    from recsys_jobs.publishing.stage_slates import stage_night

    night = row["effective_date"]
    try:
        context = night_context(night, settings, decision_log.judged_recipe(night))
        if row["kind"] != "publish":
            stage_night(context, may_fit=row["model_version"] is None)  # a floor that no night had to publish yet
        publish(context)
    except (JobError, UsageError) as error:
        decision_log.mark_failed(row, str(error))
        raise
    if row["kind"] != "publish":
        decision_log.mark_completed(row)
