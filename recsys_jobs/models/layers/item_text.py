"""What stands for each item as text, or as a picture, for models that compare items: unit vectors around zero.

I items, E events, R reviews, L last reviews of an item, T text width, V image width, D either width.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recsys_jobs.data.dataset import Bools, Dataset, Floats
from recsys_jobs.data.histories import last_reviews


def unit_item_texts(dataset: Dataset) -> Tensor:
    """Return item text vectors [I, D], centred, then of length one; zero rows where an item has no text.

    That is title and description; where the description is missing, the mean of the title and of the
    item's last reviews, or whichever of the two there is: as in the main model.
    """
    review_IT, reviews_I = _mean_reviews(dataset)
    title_I = dataset.text_present_I.astype(np.float32)
    review_I = (reviews_I > 0).astype(np.float32)
    total_IT = dataset.text_IT * title_I[:, None] + review_IT * review_I[:, None]
    return _unit(total_IT / np.maximum(title_I + review_I, 1)[:, None], title_I + review_I > 0)


def unit_item_images(dataset: Dataset) -> Tensor:
    """Return item image vectors [I, D], centred, then of length one; zero rows where an item has no picture."""
    return _unit(dataset.image_IV, dataset.image_present_I)


def _unit(vector_ID: Floats, present_I: Bools) -> Tensor:
    """Return the present items' vectors, centred and of length one, and zeros for the rest."""
    if not present_I.any():
        return torch.zeros(vector_ID.shape)
    vectors, mask_I = torch.from_numpy(vector_ID), torch.from_numpy(present_I)
    centred_ID = (vectors - vectors[mask_I].mean(0)) * mask_I[:, None]
    return functional.normalize(centred_ID, dim=1, eps=1e-6)


def _mean_reviews(dataset: Dataset) -> tuple[Floats, np.ndarray]:
    """Return the mean of the last reviews [I, T] of each item that reviews stand for, and how many they are [I]."""
    review_E = np.where(dataset.text_from_reviews_I[dataset.event_item_E], dataset.review_E, -1)
    reviews = last_reviews(
        dataset.event_item_E, dataset.event_user_E, review_E, len(dataset.items), dataset.reviews_per_item
    )
    row_IL = reviews.row_OL[:, : dataset.reviews_per_item].numpy()
    count_I = (row_IL >= 0).sum(1)
    total_IT = np.zeros((len(dataset.items), dataset.review_RT.shape[1]), dtype=np.float32)
    for row_I in row_IL.T:
        has_review_I = row_I >= 0
        total_IT[has_review_I] += dataset.review_RT[row_I[has_review_I]]
    return total_IT / np.maximum(count_I, 1)[:, None].astype(np.float32), count_I
