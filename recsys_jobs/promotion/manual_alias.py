"""The alias that a person moved in MLflow: nights notice it, log it, and follow it from the next live night on."""

from __future__ import annotations

import logging
from datetime import date

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.promotion import decision_log, serving_rules
from recsys_jobs.registry import mlflow_client

log = logging.getLogger(__name__)


def moved_version(rows: list[decision_log.Row]) -> int | None:
    """The version to which a person moved `champion`, or None; one that no night registered does not count.

    An alias that is gone means nothing: the way to take a model out of service is `recsys rollback`.
    """
    actual = mlflow_client.champion()
    expected = serving_rules.champion_row(rows)
    if actual is None or expected is None or actual == expected["model_version"]:
        return None
    try:
        mlflow_client.night_version(actual)
    except UsageError as error:
        log.warning("%s points to version %d, which cannot be published: %s", mlflow_client.CHAMPION, actual, error)
        return None
    return actual


def record_manual_move(effective: date) -> bool:
    """Log a person's move of the alias as a row that holds from `effective` on; return whether there was one."""
    rows = decision_log.all_rows()
    version = moved_version(rows)
    if version is None:
        return False
    expected = serving_rules.champion_row(rows)
    old_version = expected["model_version"] if expected else None
    origin = f"version {old_version}" if old_version else "no version"
    reason = (
        f"{mlflow_client.CHAMPION} was moved by hand in MLflow from {origin} to "
        f"version {version}: nights from {effective} on publish it, until recsys promote --release"
    )
    tags = mlflow_client.night_version(version).tags
    row = {
        "kind": "by_hand",
        "effective_date": effective,
        "recipe": tags["recipe"],
        "model_fingerprint": tags["fingerprint"],
        "model_version": version,
        "decision": "passed",
        "publishes": tags["recipe"],
        "reason": reason,
    }
    decision_log.mark_completed(decision_log.append_move(row))
    log.warning("%s", reason)
    return True
