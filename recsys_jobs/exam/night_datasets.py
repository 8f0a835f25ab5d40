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
from recsys_jobs.exam.datasets import EvaluationDatasets
from recsys_jobs.lake.cuts import exam_cut


def build_night_datasets(run_date: date, settings: Settings, final: bool) -> EvaluationDatasets:
    """Return the night's datasets; without `final` the holdout is the validation part of H."""
    cut, _ = exam_cut(run_date)
    dataset = load_dataset(cut, settings)
    if final:
        holdout = load_holdout(run_date, cut, dataset)
        masked = "everything before the holdout"
        return EvaluationDatasets(dataset, _without_validation(dataset), dataset, holdout, None, masked)
    past = without_events(dataset, dataset.validation_E)
    return EvaluationDatasets(dataset, past, past, _validation_holdout(dataset, past), None, "train")


def _without_validation(dataset: Dataset) -> Dataset:
    return dataclasses.replace(dataset, validation_E=np.zeros_like(dataset.validation_E))


def _validation_holdout(dataset: Dataset, past: Dataset) -> Holdout:
    """Return the validation pairs of users who have a history before them."""
    target_E = dataset.validation_E & np.isin(dataset.event_user_E, past.event_user_E)
    return Holdout(
        dataset.event_user_E[target_E],
        dataset.event_item_E[target_E],
        dropped=int(dataset.validation_E.sum() - target_E.sum()),
        rating_T=dataset.rating_E[target_E],
    )
