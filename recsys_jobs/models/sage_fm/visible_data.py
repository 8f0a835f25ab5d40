"""What a model may look at: a dataset seen through some of its events.

Training sees the events outside validation, scoring all of them; nothing here is learned.
U users, I items, E events, R reviews, O owners of reviews (users, or items), L last reviews of an owner, B batch of
owners, T text width, V image width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.data.histories import Reviews, events_matrix, last_reviews
from recsys_jobs.models.layers.sparse import Sparse
from recsys_jobs.models.sage_fm.item_graph import Graph, build_graph


@dataclass(frozen=True)
class VisibleData:
    """Constants of one fit or one scoring, on one device; the sparse structures stay in scipy."""

    history_UI: sparse.csr_matrix  # 1.0 where an event is seen
    graph: Graph
    text_IT: Tensor
    text_present_I: Tensor
    image_IV: Tensor
    image_present_I: Tensor
    review_RT: Tensor
    user_reviews: Reviews
    item_reviews: Reviews
    from_reviews_I: Tensor
    alike_II: Sparse | None  # T of models/sage_softmax/item_inputs.py
    device: torch.device

    @property
    def shape(self) -> tuple[int, int]:
        """Users, items."""
        users, items = self.history_UI.shape
        return users, items


def build_visible_data(
    dataset: Dataset, seen_E: Bools, device: torch.device, alike_II: Sparse | None = None
) -> VisibleData:
    """Return the dataset as the events `seen_E` show it; edges that only other events made are gone."""
    history_UI = events_matrix(dataset, seen_E)
    graph = build_graph(dataset, events_matrix(dataset), history_UI)
    user_E, item_E = dataset.event_user_E[seen_E], dataset.event_item_E[seen_E]
    review_E = dataset.review_E[seen_E]
    item_review_E = np.where(dataset.text_from_reviews_I[item_E], review_E, -1)
    user_reviews = last_reviews(user_E, item_E, review_E, len(dataset.users), dataset.reviews_per_user)
    item_reviews = last_reviews(item_E, user_E, item_review_E, len(dataset.items), dataset.reviews_per_item)
    return VisibleData(
        history_UI,
        graph,
        torch.from_numpy(dataset.text_IT).to(device),
        torch.from_numpy(dataset.text_present_I).to(device),
        torch.from_numpy(dataset.image_IV).to(device),
        torch.from_numpy(dataset.image_present_I).to(device),
        torch.from_numpy(dataset.review_RT).to(device),
        _on_device(user_reviews, device),
        _on_device(item_reviews, device),
        torch.from_numpy(dataset.text_from_reviews_I).to(device),
        alike_II,
        device,
    )


def _on_device(reviews: Reviews, device: torch.device) -> Reviews:
    return Reviews(reviews.row_OL.to(device), reviews.other_OL.to(device), reviews.take)


def mean_review(
    visible: VisibleData, reviews: Reviews, owner_B: Tensor, leave_B: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the mean of the last reviews of each owner but that of `leave_B` [B, T], and where there is one [B]."""
    row_BL = reviews.row_OL[owner_B]
    usable_BL = row_BL >= 0
    if leave_B is not None:
        usable_BL &= reviews.other_OL[owner_B] != leave_B[:, None]
    usable_BL &= usable_BL.cumsum(1) <= reviews.take
    count_B = usable_BL.sum(1)
    if not len(visible.review_RT):
        return visible.review_RT.new_zeros(len(owner_B), visible.review_RT.shape[1]), count_B > 0
    weight_BL = usable_BL / count_B.clamp(min=1)[:, None]
    mean_BT = functional.embedding_bag(row_BL.clamp(min=0), visible.review_RT, mode="sum", per_sample_weights=weight_BL)
    return mean_BT, count_B > 0


def item_text(visible: VisibleData, item_B: Tensor, leave_B: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return what stands for items as text [B, T], and where there is any [B].

    That is title and description; where the description is missing, the mean of title and own
    reviews (but that of user `leave_B`), or whichever of the two there is.
    """
    review_BT, reviewed_B = mean_review(visible, visible.item_reviews, item_B, leave_B)
    titled_B = visible.text_present_I[item_B]
    total_BT = visible.text_IT[item_B] * titled_B[:, None] + review_BT
    count_B = titled_B.int() + reviewed_B.int()
    return total_BT / count_B.clamp(min=1)[:, None], count_B > 0
