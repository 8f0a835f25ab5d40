"""Does what is published agree with what was measured? The slates of the two fits must overlap.

The exam fit was measured, the serving fit is published: one recipe, as many epochs, some days of events more.
If the later fit went astray (another seed would not, a broken input does), it shows other people other things.
U users and I items of the exam's cut, B block of users, K places of a slate, P filled places of all slates,
as keys user * items + item of the later dataset.
"""

from __future__ import annotations

import numpy as np

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.ranking.model import Model
from recsys_jobs.ranking.top_k import top_k


def require_overlap(
    exam: Model, exam_dataset: Dataset, serving: Model, serving_dataset: Dataset, *, k: int, least: float
) -> float:
    """Return the share of the exam fit's places that the serving fit fills alike; JobError below `least`.

    Both rank for the people of the exam's cut, each over its own catalogue and history. A place whose item
    the person has had since does not count: no later slate may show it.
    """
    share = slate_overlap(exam, exam_dataset, serving, serving_dataset, k)
    if share < least:
        raise JobError(
            f"the serving fit shows {share:.1%} of what the exam fit shows the same people, less than "
            f"min_overlap = {least:.0%}: it is not the model that was measured, and nothing is registered; "
            "look at both runs' curves in MLflow, or lower min_overlap (RECSYS_CONFIG)"
        )
    return share


def slate_overlap(exam: Model, exam_dataset: Dataset, serving: Model, serving_dataset: Dataset, k: int) -> float:
    """Return the share; 1 where the exam's cut has nobody with a place left to compare."""
    user_U = np.searchsorted(serving_dataset.users, exam_dataset.users)
    item_I = np.searchsorted(serving_dataset.items, exam_dataset.items)
    items = len(serving_dataset.items)
    user_P, item_P = _filled_places(exam, exam_dataset, np.arange(len(user_U)), k)
    shown_keys = user_U[user_P] * items + item_I[item_P]
    exam_keys = np.setdiff1d(shown_keys, serving_dataset.pair_keys())
    user_P, item_P = _filled_places(serving, serving_dataset, user_U, k)
    serving_keys = user_P * items + item_P
    return float(np.isin(exam_keys, serving_keys).mean()) if len(exam_keys) else 1.0


def _filled_places(model: Model, dataset: Dataset, user_U: Ints, k: int) -> tuple[Ints, Ints]:
    """Return user and item of every filled place [P]."""
    users, items = [], []
    for slates in top_k(model, dataset, k, users=user_U):
        row, place = np.nonzero(slates.item_BK >= 0)
        users.append(slates.user_B[row])
        items.append(slates.item_BK[row, place])
    empty = [np.zeros(0, np.int64)]
    return np.concatenate(users or empty), np.concatenate(items or empty)
