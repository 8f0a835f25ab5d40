"""A person's moves of the version that serves (promote, rollback, release), and the recovery of interrupted moves.

Each move is a row in `promotions` first; then the latest night is published again from the version it names,
and the alias follows. No move trains anything but the floor, where a rollback falls to it and no night has
published it. A kill leaves a row open: the next night or the next command finishes it.
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
        night = _latest_clean_night(settings)
        tags = mlflow_client.night_version(version).tags
        if tags["run_date"] > str(night):
            raise UsageError(f"version {version} was fitted for {tags['run_date']}, after the latest night, {night}")
        why = f"version {version} ({tags['recipe']} of {tags['run_date']}) was promoted{_reason_suffix(reason)}"
        _execute(_move_row("promote", night, version, why), settings)


def rollback(reason: str, settings: Settings) -> None:
    """Reject what serves, and publish the latest night again from the version that served before it."""
    with delta.writer_lock(publish_intent.LOCK):
        if _finish_open_moves(settings):
            log.warning("that was left over. Nothing else was rolled back: call again to go further back")
            return
        night = _latest_clean_night(settings)
        serving = publish_intent.version_of(delta.read_date(RECOMMENDATIONS, night))
        rows = decision_log.all_rows()
        hold = serving_rules.hold(rows, night)
        if hold is not None and hold.version is None:
            raise JobError("every version was rolled back and the floor serves: there is nothing further back")
        target = serving_rules.previous_version(rows, serving)
        origin_text = f"version {serving}" if serving else "the floor"
        target_text = f"version {target}" if target else "the floor: no version before it is left"
        why = f"{origin_text} was rolled back to {target_text}{_reason_suffix(reason)}"
        row = _move_row("rollback", night, target, why)
        _execute(row | {"rejected_version": serving}, settings)


def release(reason: str, settings: Settings) -> None:
    """Let the nights after the latest publish their own fits; a rejected version stays rejected."""
    with delta.writer_lock(publish_intent.LOCK):
        night = _latest_clean_night(settings)
        next_day = night + timedelta(days=1)
        hold = serving_rules.hold(decision_log.all_rows(), next_day)
        if hold is None:
            raise UsageError("nothing is held: every night publishes its own fit if it passes the gate")
        model = f"version {hold.version}" if hold.version else "the floor"
        why = f"{model} was released: nights after {night} publish what they fit{_reason_suffix(reason)}"
        row = _move_row("release", next_day, hold.version, why)
        decision_log.mark_completed(decision_log.append_move(row))
        log.info("%s", why)


def recover(run_date: date) -> bool:
    """Finish interrupted moves, and log a person's move of the alias in MLflow; whether there was one."""
    with delta.writer_lock(publish_intent.LOCK):
        try:
            _finish_open_moves(load_settings())  # as configured: an older night has encoders of its own
        except (JobError, UsageError) as error:
            log.error("given up, and the night goes on: %s", error)
        last = max(delta.dates(RECOMMENDATIONS), default=None)
        return (last is None or run_date > last) and manual_alias.record_manual_move(run_date)


def _latest_clean_night(settings: Settings) -> date:
    """The latest published night, once every open move is finished and a person's move of the alias is logged."""
    _finish_open_moves(settings)
    night = max(delta.dates(RECOMMENDATIONS), default=None)
    if night is None:
        raise UsageError("nothing is published yet: run a night first")
    manual_alias.record_manual_move(night + timedelta(days=1))
    return night


def _move_row(kind: str, effective: date, version: int | None, reason: str) -> Row:
    if version:
        tags = mlflow_client.night_version(version).tags
    else:
        tags = {"recipe": decision_log.last_floor(), "fingerprint": ""}
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


def _reason_suffix(reason: str) -> str:
    return f": {reason}" if reason else ""


def _execute(row: Row, settings: Settings) -> None:
    row = decision_log.append_move(row)
    log.info("%s", row["reason"])
    kill_point(f"{row['kind']}:intent")
    _finish_move(row, settings)


def _finish_open_moves(settings: Settings) -> bool:
    """Carry out every open move; return whether a person's was among them."""
    moves = serving_rules.open_moves(decision_log.all_rows())
    for row in moves:
        still_open = serving_rules.open_moves(decision_log.all_rows())
        if row["decision_id"] not in {other["decision_id"] for other in still_open}:
            continue  # finishing a person's move has published the night, which closes the night's own row
        log.warning("finishing what was cut off: %s of %s, %s", row["kind"], row["effective_date"], row["reason"])
        _finish_move(row, settings)
    return any(row["kind"] != "publish" for row in moves)


def _finish_move(row: Row, settings: Settings) -> None:
    """Let tables and alias follow an open row; one that cannot be followed is given up, and says why."""
    from recsys_jobs.publishing.publish import publish  # imports Great Expectations, which most calls do not need
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
