"""The holdout of an exam: who had what after the cut. T pairs."""

from __future__ import annotations

from dataclasses import dataclass

from recsys_jobs.data.dataset import Floats, Ints


@dataclass(frozen=True)
class Holdout:
    """What users took next: pairs of indices into the dataset's users and items, in any order.

    `dropped` counts the pairs that are not among them because the item was not eligible at the cut, or
    the user unknown. `rating_T`, where there is one, is stars, NaN where unknown.
    """

    user_T: Ints
    item_T: Ints
    dropped: int = 0
    rating_T: Floats | None = None
