"""Gathers why a published row is there: what the night was made from, read again at the versions it was read at.

The model is loaded from the night's MLflow run over the inputs at their recorded Delta versions, and ranks for
the user once more: a slate that comes out alike shows that the record is true.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recsys_jobs.commands.show.slate import history_of, slate_of
from recsys_jobs.commands.why.find_row import find_row
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake import delta, lineage
from recsys_jobs.lake.lineage import Publication
from recsys_jobs.lake.sql import connect
from recsys_jobs.models import families
from recsys_jobs.models.folded_model import unfold
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.ranking.model import (
    HasPopularityTerm,
    ModalityTerms,
    Model,
    SplitsByHistory,
    SplitsByModality,
    SplitsByPart,
)
from recsys_jobs.ranking.top_k import top_k
from recsys_jobs.registry.fits import kept_weights

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """What one part of a blend adds, and of what that is made where it splits; items by id."""

    total: float
    events: dict[str, float] | None
    of_late: float | None
    rest: float


@dataclass(frozen=True)
class Answer:
    """Everything that `recsys why` says; items and users by id."""

    made_from: Publication
    user: str
    item: str
    rank: int
    score: float  # as published
    slate: list[str]  # as published
    rebuilt: list[str]  # from the recorded versions
    history: list[tuple[Any, ...]]  # day, stars, item, title; oldest first
    titles: dict[str, str]  # of the slate's and the history's items
    modalities: ModalityTerms | None
    events: dict[str, float] | None  # what each item of the history adds
    of_late: float | None  # what the item's recent popularity adds, whoever is asked
    parts: dict[str, Part] | None  # what each part of a blend adds
    nearest: list[tuple[str, float]]  # items of the history by cosine with the item, most alike first

    @property
    def explained(self) -> float | None:
        """What the terms sum to; None where this model's score does not split."""
        if self.modalities is not None:
            return float(self.modalities.across_MN.sum() + self.modalities.alone_N.sum())
        if self.parts is not None:
            return sum(part.total for part in self.parts.values())
        return None if self.events is None else sum(self.events.values()) + (self.of_late or 0.0)


def answer(user: str, item: str, run_date: date | None = None) -> Answer:
    """Say why `user` saw `item` on the night of `run_date`, else on the latest.

    Raises UsageError where there is no such row, JobError where what made it is no longer kept.
    """
    made_from = lineage.load_publication(run_date)
    with delta.pinned(made_from.delta_versions), _kept(made_from):
        connection = connect()
        slate = slate_of(connection, made_from.run_date, user)
        row = find_row(connection, made_from, user, item, slate)
        history = history_of(connection, made_from.run_date, user)
        log.info("reading the inputs of %s at their recorded versions", made_from.run_date)
        dataset = load_dataset(made_from.run_date, made_from.settings)
    titles = {event[2]: event[3] for event in history} | {shown[2]: shown[3] for shown in slate}
    found = _explained(made_from, dataset, dataset.users.index(user), dataset.items.index(item))
    ids = [shown[2] for shown in slate]
    return Answer(made_from, user, item, row[0], row[1], ids, history=history, titles=titles, **found)


@contextmanager
def _kept(made_from: Publication) -> Iterator[None]:
    """Tell in one line where a file of the recorded versions is gone."""
    try:
        yield
    except (FileNotFoundError, duckdb.Error) as error:
        raise JobError(
            f"a file of the recorded versions of {made_from.run_date} is gone, vacuumed most likely: "
            f"{' '.join(str(error).split())}; "
            f"make nightly DATE={made_from.run_date} publishes the night again from what is there now"
        ) from None


def _explained(made_from: Publication, dataset: Dataset, user: int, item: int) -> dict[str, Any]:
    recipe, tensors = get_recipe(made_from.recipe), kept_weights(made_from.run_id)
    model = families.load(tensors, dataset, recipe)
    served = unfold(tensors, dataset, recipe) or model
    [slates] = top_k(served, dataset, made_from.settings.k, users=np.array([user]))
    owned = np.unique(dataset.event_item_E[dataset.event_user_E == user])
    return {
        "rebuilt": [dataset.items[i] for i in slates.item_BK[0] if i >= 0],
        "modalities": model.modality_terms(user, item) if isinstance(model, SplitsByModality) else None,
        "events": _by_event(model, dataset, user, item),
        "of_late": model.prior_term(item) if isinstance(model, HasPopularityTerm) else None,
        "parts": _by_part(model, recipe, dataset, user, item),
        "nearest": [(dataset.items[owned[n]], float(cosine)) for n, cosine in _nearest(model, item, owned)],
    }


def _by_event(model: Model, dataset: Dataset, user: int, item: int) -> dict[str, float] | None:
    return _by_id(model.history_terms(user, item), dataset) if isinstance(model, SplitsByHistory) else None


def _by_id(history: dict[int, float] | None, dataset: Dataset) -> dict[str, float] | None:
    return None if history is None else {dataset.items[had]: value for had, value in history.items()}


def _by_part(model: Model, recipe: Any, dataset: Dataset, user: int, item: int) -> dict[str, Part] | None:
    if not isinstance(model, SplitsByPart):
        return None
    terms = zip(recipe.parts, model.part_terms(user, item), strict=True)
    return {part.name: Part(t.total, _by_id(t.history, dataset), t.of_late, t.rest) for (_, part), t in terms}


def _nearest(model: Model, item: int, owned: np.ndarray) -> list[tuple[int, Tensor]]:
    """Places among `owned` and their cosine with the item, most alike first."""
    vector_ID = model.item_vectors()
    if vector_ID is None:
        return []
    cosine_N = functional.cosine_similarity(vector_ID[torch.from_numpy(owned)], vector_ID[item, None], dim=1)
    return [(int(n), cosine_N[n]) for n in torch.argsort(cosine_N, descending=True, stable=True)]
