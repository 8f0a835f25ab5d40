"""The exam of one night of a lake, again, with any recipe: the cut H, and the holdout (H, D].

As in the night itself a closed form learns from everything before H, and what trains in epochs stops early
on the last part of it. E events.
"""

from __future__ import annotations

import dataclasses
from datetime import date

import numpy as np

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.from_lake import load_dataset, load_holdout
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.data.without_events import without_events
from recsys_jobs.exam.datasets import Sitting
from recsys_jobs.lake.cuts import exam_cut


def sit_night(run_date: date, settings: Settings, final: bool) -> Sitting:
    """Return the night's question, or, without `final`, the validation part of H asked of the events before it."""
    cut, _ = exam_cut(run_date)
    before_H = load_dataset(cut, settings)
    if final:
        holdout = load_holdout(run_date, cut, before_H)
        return Sitting(before_H, _unwatched(before_H), before_H, holdout, None, "everything before the holdout")
    past = without_events(before_H, before_H.validation_E)
    return Sitting(before_H, past, past, _validation(before_H, past), None, "train")


def _unwatched(dataset: Dataset) -> Dataset:
    return dataclasses.replace(dataset, validation_E=np.zeros_like(dataset.validation_E))


def _validation(dataset: Dataset, past: Dataset) -> Holdout:
    """The validation pairs of users who have a history before them."""
    asked_E = dataset.validation_E & np.isin(dataset.event_user_E, past.event_user_E)
    return Holdout(
        dataset.event_user_E[asked_E],
        dataset.event_item_E[asked_E],
        dropped=int(dataset.validation_E.sum() - asked_E.sum()),
        rating_T=dataset.rating_E[asked_E],
    )
