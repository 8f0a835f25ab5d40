"""The two windows of a bake-off: one ranks, and a later one, which no ranking has read, confirms.

The night of D holds out (H, D]. That window confirms. Recipes are ranked on the holdout of the latest night that
had ended by H: (H of that night, that night]. So the windows share no event, the ranking's is over before the
confirmation's begins, and each fit reads the cut that its own window begins after.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import CUTS
from recsys_jobs.lake import delta
from recsys_jobs.lake.cuts import exam_cut


class Windows(NamedTuple):
    """The night whose holdout ranks, and the later one, the bake-off's own, whose holdout confirms."""

    ranking: date
    confirmation: date


def windows(run_date: date) -> Windows:
    """The windows of the bake-off of `run_date`; JobError where a night that they need has no snapshot."""
    cut, _ = exam_cut(run_date)
    night = ranking_night(delta.dates(CUTS), cut)
    if night is None:
        raise JobError(
            f"no night had ended by {cut}, where the window that confirms begins: "
            f"nothing to rank on; run that night first (make nightly DATE={cut})"
        )
    return Windows(night, run_date)


def ranking_night(nights: Iterable[date], cut: date) -> date | None:
    """The latest of `nights` that is not after `cut`, or None."""
    return max((night for night in nights if night <= cut), default=None)
