"""The alias that a person moved in MLflow: noticed, told, and respected from the next live night on."""

from __future__ import annotations

import logging
from datetime import date

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.promotion import decision_log
from recsys_jobs.promotion import serving_rules as promotions
from recsys_jobs.registry import mlflow_client

log = logging.getLogger(__name__)


def moved(rows: list[decision_log.Row]) -> int | None:
    """The version to which a person moved `champion`, or None; one that no night registered does not count.

    Nothing is told from an alias that is gone: to take a model out of service is `recsys rollback`.
    """
    stands, expected = mlflow_client.champion(), promotions.champion(rows)
    if stands is None or expected is None or stands == expected["model_version"]:
        return None
    try:
        mlflow_client.night_version(stands)
    except UsageError as error:
        log.warning("%s points to version %d, which cannot be published: %s", mlflow_client.CHAMPION, stands, error)
        return None
    return stands


def take_over(effective: date) -> bool:
    """Make a row of what a person did to the alias, to hold from `effective` on; whether there was something."""
    rows = decision_log.everything()
    version = moved(rows)
    if version is None:
        return False
    expected = promotions.champion(rows)
    tags = mlflow_client.night_version(version).tags
    was = expected["model_version"] if expected else None
    reason = (
        f"{mlflow_client.CHAMPION} was moved by hand in MLflow from {f'version {was}' if was else 'no version'} to "
        f"version {version}: nights from {effective} on publish it, until recsys promote --release"
    )
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
    decision_log.complete(decision_log.append(row))
    log.warning("%s", reason)
    return True
