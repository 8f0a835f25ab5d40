"""Stages the slates of the night: top K for every user, similar items, popular items.

`python -m recsys_jobs.night.top_k --run-date D [--recipe NAME]`. The model is the one that `fit_serving` wrote down;
nothing is fitted here.
"""

from __future__ import annotations

from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.promotion.night_context import parse_night
from recsys_jobs.publishing.stage_slates import stage_night


def main() -> None:
    """The step's command line."""
    stage_night(parse_night(__doc__ or ""))


if __name__ == "__main__":
    run_step(main)
