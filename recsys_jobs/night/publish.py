"""Audits the night's staged tables and publishes them: one commit a table, then the alias.

`python -m recsys_jobs.night.publish --run-date D [--recipe NAME]`. Slates that are missing, or that a later decision
rules out, are made again from a fit that MLflow has; nothing is fitted here.
"""

from __future__ import annotations

from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.lake import delta
from recsys_jobs.promotion.night_context import parse_night
from recsys_jobs.publishing import publish_intent
from recsys_jobs.publishing.publish import publish


def main() -> None:
    """The step's command line."""
    night = parse_night(__doc__ or "")
    with delta.writer_lock(publish_intent.LOCK):
        publish(night)


if __name__ == "__main__":
    run_step(main)
