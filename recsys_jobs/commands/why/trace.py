"""Gathers why a published row is there: what the night was made from, read again at the versions it was read at.

The model is loaded from the night's MLflow run over the inputs at their recorded Delta versions, and ranks for
the user once more: a slate that comes out alike shows that the record is true.

E events, I items, D width, H items of the user's history; of the modalities M are the user's, N the item's.
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
from recsys_jobs.registry.fits import stored_weights

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """What one part of a blend adds, and of what that is made where it splits; items by id."""

    total: float
    events: dict[str, float] | None
    recent_popularity: float | None
    rest: float


@dataclass(frozen=True)
class Trace:
    """Everything that `recsys why` says; items and users by id."""

    publication: Publication
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
    recent_popularity: float | None  # what it adds, whoever is asked
    parts: dict[str, Part] | None  # what each part of a blend adds
    nearest: list[tuple[str, float]]  # items of the history by cosine with the item, most alike first

    @property
    def explained(self) -> float | None:
        """What the terms sum to; None where this model's score does not split."""
        if self.modalities is not None:
            return float(self.modalities.across_MN.sum() + self.modalities.alone_N.sum())
        if self.parts is not None:
            return sum(part.total for part in self.parts.values())
        if self.events is None:
            return None
        return sum(self.events.values()) + (self.recent_popularity or 0.0)


def trace_row(user: str, item: str, run_date: date | None = None) -> Trace:
    """Return why `user` saw `item` on the night of `run_date`, else on the latest.

    Raises UsageError where there is no such row, JobError where what made it is no longer kept.
    """
    publication = lineage.load_publication(run_date)
    with delta.pinned(publication.delta_versions), files_must_be_there(publication):
        connection = connect()
        slate = slate_of(connection, publication.run_date, user)
        rank, score = find_row(connection, publication, user, item, slate)
        history = history_of(connection, publication.run_date, user)
        log.info("reading the inputs of %s at their recorded versions", publication.run_date)
        dataset = load_dataset(publication.run_date, publication.settings)
    history_titles = {item_id: title for _, _, item_id, title in history}
    slate_titles = {item_id: title for _, _, item_id, title, *_ in slate}
    return Trace(
        publication=publication,
        user=user,
        item=item,
        rank=rank,
        score=score,
        slate=[row[2] for row in slate],
        history=history,
        titles=history_titles | slate_titles,
        **_rank_again(publication, dataset, dataset.users.index(user), dataset.items.index(item)),
    )


@contextmanager
def files_must_be_there(publication: Publication) -> Iterator[None]:
    """Raise JobError of one line where a file of the recorded versions is gone."""
    try:
        yield
    except (FileNotFoundError, duckdb.Error) as error:
        raise JobError(
            f"a file of the recorded versions of {publication.run_date} is gone, vacuumed most likely: "
            f"{' '.join(str(error).split())}; "
            f"make nightly DATE={publication.run_date} publishes the night again from what is there now"
        ) from None


def _rank_again(publication: Publication, dataset: Dataset, user: int, item: int) -> dict[str, Any]:
    """Return what the stored model says of the pair: the slate made again, and the terms of the score."""
    recipe = get_recipe(publication.recipe)
    tensors = stored_weights(publication.run_id)
    model = families.load(tensors, dataset, recipe)
    served = unfold(tensors, dataset, recipe) or model
    [slates] = top_k(served, dataset, publication.settings.k, users=np.array([user]))
    return {
        "rebuilt": [dataset.items[row] for row in slates.item_BK[0] if row >= 0],
        "nearest": _nearest_of_history(model, dataset, user, item),
        **split_score(model, recipe, dataset, user, item),
    }


def split_score(model: Model, recipe: Any, dataset: Dataset, user: int, item: int) -> dict[str, Any]:
    """Return the terms of a pair's score by the names of Trace's fields; None for a split that the model has not."""
    return {
        "modalities": model.modality_terms(user, item) if isinstance(model, SplitsByModality) else None,
        "events": _event_terms(model, dataset, user, item),
        "recent_popularity": model.prior_term(item) if isinstance(model, HasPopularityTerm) else None,
        "parts": _part_terms(model, recipe, dataset, user, item),
    }


def _event_terms(model: Model, dataset: Dataset, user: int, item: int) -> dict[str, float] | None:
    return _by_item_id(model.history_terms(user, item), dataset) if isinstance(model, SplitsByHistory) else None


def _by_item_id(terms: dict[int, float] | None, dataset: Dataset) -> dict[str, float] | None:
    return None if terms is None else {dataset.items[row]: value for row, value in terms.items()}


def _part_terms(model: Model, recipe: Any, dataset: Dataset, user: int, item: int) -> dict[str, Part] | None:
    if not isinstance(model, SplitsByPart):
        return None
    terms = zip(recipe.parts, model.part_terms(user, item), strict=True)
    return {
        part.name: Part(term.total, _by_item_id(term.history, dataset), term.of_late, term.rest)
        for (_, part), term in terms
    }


def _nearest_of_history(model: Model, dataset: Dataset, user: int, item: int) -> list[tuple[str, float]]:
    """Return the user's items and their cosine with the item, most alike first; none where items have no vectors."""
    vector_ID = model.item_vectors()
    if vector_ID is None:
        return []
    owned_H = np.unique(dataset.event_item_E[dataset.event_user_E == user])
    cosine_H = functional.cosine_similarity(vector_ID[torch.from_numpy(owned_H)], vector_ID[item, None], dim=1)
    order_H = torch.argsort(cosine_H, descending=True, stable=True).tolist()
    return [(dataset.items[owned_H[h]], float(cosine_H[h])) for h in order_H]
