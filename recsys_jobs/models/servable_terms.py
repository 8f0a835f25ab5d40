"""What can be registered of a model: terms, each dense factors or one sparse item-to-item matrix.

score(u, i) = term(u, i), or of a blend the weighted sum of its terms, each standardised over the items of u

with term = p_u . q_i, or b_i and the sum of W's rows of the items that u had, each as much as is left of it. Neither
needs the code that trained it. U users, I items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recsys_jobs.models.base.item_to_item import ItemToItemModel
from recsys_jobs.models.blend.learner import BlendModel
from recsys_jobs.models.recent.learner import RecentModel
from recsys_jobs.ranking.model import Factors, Model


@dataclass(frozen=True)
class Rows:
    """W [I, I]; what is left of each user's history [U, I], and b [I], where it knows the date."""

    weight_II: sparse.csr_matrix
    history_UI: sparse.csr_matrix | None = None
    bias_I: np.ndarray | None = None


@dataclass(frozen=True)
class Term:
    """A part of a score: how it weighs, and its factors or its rows."""

    weight: float
    form: Factors | Rows


def terms(model: Model) -> list[Term]:
    """Return the terms of a model; none where a part of it is neither factors nor item-to-item."""
    parts = model.parts if isinstance(model, BlendModel) else [(1.0, model)]
    servable = [Term(weight, form) for weight, part in parts if (form := _form(part)) is not None]
    return servable if len(servable) == len(parts) else []


def _form(model: Model) -> Factors | Rows | None:
    if isinstance(model, RecentModel):
        return Rows(model.weight_II, model.history_UI, model.bias_I)
    return Rows(model.weight_II) if isinstance(model, ItemToItemModel) else model.factors()
