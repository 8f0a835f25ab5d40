"""The alias that a person moved in MLflow: noticed, told, and respected from the next live night on."""

from __future__ import annotations

import logging
from datetime import date

from recsys_jobs import decisions, tracking
from recsys_jobs.errors import UsageError
from recsys_jobs.promotion import log as promotions

log = logging.getLogger(__name__)


def moved(rows: list[decisions.Row]) -> int | None:
    """The version to which a person moved `champion`, or None; one that no night registered does not count.

    Nothing is told from an alias that is gone: to take a model out of service is `recsys rollback`.
    """
    stands, expected = tracking.champion(), promotions.champion(rows)
    if stands is None or expected is None or stands == expected["model_version"]:
        return None
    try:
        tracking.nights_version(stands)
    except UsageError as error:
        log.warning("%s points to version %d, which cannot be published: %s", tracking.CHAMPION, stands, error)
        return None
    return stands


def take_over(effective: date) -> bool:
    """Make a row of what a person did to the alias, to hold from `effective` on; whether there was something."""
    rows = decisions.everything()
    version = moved(rows)
    if version is None:
        return False
    expected = promotions.champion(rows)
    tags = tracking.nights_version(version).tags
    was = expected["model_version"] if expected else None
    reason = (
        f"{tracking.CHAMPION} was moved by hand in MLflow from {f'version {was}' if was else 'no version'} to version "
        f"{version}: nights from {effective} on publish it, until recsys promote --release"
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
    decisions.complete(decisions.append(row))
    log.warning("%s", reason)
    return True
