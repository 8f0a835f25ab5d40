"""What one exam needs of a data set: datasets to fit on and to score on, the holdout, what is masked. Pure.

Without `final` the question is the validation part, asked of a model that knows train alone. With it the
question is the test part. Then the validation events are history where a protocol has an order in time,
for whoever asks after them has seen them; in the others they stay unknown, as papers do it, and are masked.

E events of the data set, I items, U users, T targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.co_review_edges import co_review_edges
from recsys_jobs.data.dataset import Bools, Dataset, Floats, Ints
from recsys_jobs.data.edges import shared_users
from recsys_jobs.data.histories import events_matrix, last_reviews
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.data.k_core import k_core
from recsys_jobs.data.readers.raw import RawData, labels, numbers, terms
from recsys_jobs.data.split_protocols import TEST, TEST_INPUT, TRAIN, VALIDATION, VALIDATION_INPUT, Parts, get_protocol
from recsys_jobs.exam.contents import Contents
from recsys_jobs.models.families import is_iterative
from recsys_jobs.training.recipe import Recipe

Edges = tuple[Ints, Ints, Floats]  # src, dst, weight [K]


@dataclass(frozen=True)
class Sitting:
    """One exam's question. All three datasets have the same users and items.

    A family that trains in epochs is fitted on `watched`, whose validation events are flagged for early
    stopping, any other on `learned`; either is then asked about `scored`, which holds what is known by then.
    """

    watched: Dataset
    learned: Dataset
    scored: Dataset
    holdout: Holdout
    hidden_UI: sparse.csr_matrix | None  # masked besides what `scored` holds
    masked: str  # in words

    def for_fit(self, recipe: Recipe) -> Dataset:
        """Return what a recipe's family is fitted on."""
        return self.watched if is_iterative(recipe) else self.learned

    def changed(self, change: Callable[[Dataset], Dataset]) -> Sitting:
        """Return the same question with something changed in all that models are fitted on and asked about."""
        return replace(self, watched=change(self.watched), learned=change(self.learned), scored=change(self.scored))


@dataclass(frozen=True)
class Known:
    """Which events are history when the question is asked, which are asked for, which are masked besides."""

    history_E: Bools
    target_E: Bools
    hidden_E: Bools
    masked: str


def know(part_E: Parts, name: str, final: bool, mask: str) -> Known:
    """Return what is known when the question is asked; UsageError where `mask` cannot be meant.

    `mask` is train_validation, train (the train items alone, as MMRec's code does) or both, one after the other.
    """
    nothing_E = np.zeros(len(part_E), np.bool_)
    masked = "train" if not (part_E == TEST_INPUT).any() else "the part of each examined user's history that is given"
    if not final:
        history_E = np.isin(part_E, (TRAIN, VALIDATION_INPUT))
        return Known(history_E, part_E == VALIDATION, nothing_E, masked)
    if get_protocol(name).validation_is_history:
        if mask != "train_validation":
            raise UsageError(f"protocol {name} has validation as history, which is masked: leave --mask out")
        return Known(np.isin(part_E, (TRAIN, VALIDATION)), part_E == TEST, nothing_E, "train and validation")
    history_E = np.isin(part_E, (TRAIN, TEST_INPUT))
    if mask == "train" or masked != "train":  # new users have no validation items
        return Known(history_E, part_E == TEST, nothing_E, masked)
    return Known(history_E, part_E == TEST, part_E == VALIDATION, "train and validation")


def masks(sitting: Sitting, mask: str) -> list[Sitting]:
    """Return the ways to mask that `mask` asks for: the same question, with validation items masked or not."""
    if mask != "both" or sitting.hidden_UI is None:
        return [sitting]
    return [sitting, replace(sitting, hidden_UI=None, masked="train")]


def sit(raw: RawData, part_E: Parts, known: Known, contents: Contents, settings: Settings) -> Sitting:
    """Return the exam's question about a data set that is divided into parts."""
    core_E = in_core(raw, part_E == TRAIN)
    edges = co_review_edges(
        raw.events.user_E[core_E],
        raw.events.item_E[core_E],
        len(raw.items),
        settings.history_for_edges,
        settings.edges_per_item,
    )
    nothing_E = np.zeros(len(part_E), np.bool_)
    validation_E = (part_E == VALIDATION) & _of_core(raw, core_E, part_E)
    if not validation_E.any():
        raise JobError("no validation event is of a user and an item that are learned from: lower --core")
    seen_E = np.isin(part_E, (TRAIN, VALIDATION_INPUT))
    shared = _shared(raw, contents, edges, settings)
    return Sitting(
        watched=_weighted(Dataset(**shared, **_events(raw, contents, core_E, validation_E, seen_E | validation_E))),
        learned=Dataset(**shared, **_events(raw, contents, core_E, nothing_E, part_E == TRAIN)),
        scored=Dataset(**shared, **_events(raw, contents, core_E, nothing_E, known.history_E)),
        holdout=_holdout(raw, known),
        hidden_UI=_pairs(raw, known.hidden_E) if known.hidden_E.any() else None,
        masked=known.masked,
    )


def needed_reviews(raw: RawData, part_E: Parts, known: Known, settings: Settings) -> Bools:
    """Return whose reviews a model may look at: the last ones of users, and of items without a description."""
    needed_E = np.zeros(len(part_E), np.bool_)
    if not raw.review_E:
        return needed_E
    user_E, item_E = raw.events.user_E, raw.events.item_E
    there_E = np.array([bool(text.strip()) for text in raw.review_E])
    bare_E = np.array([not item.described for item in raw.metadata_I])[item_E]
    for seen_E in (np.isin(part_E, (TRAIN, VALIDATION, VALIDATION_INPUT)), part_E == TRAIN, known.history_E):
        row_E = np.where(seen_E & there_E, np.arange(len(part_E)), -1)
        by_user = last_reviews(user_E, item_E, row_E, len(raw.users), settings.reviews_per_user)
        own_E = np.where(bare_E, row_E, -1)
        by_item = last_reviews(item_E, user_E, own_E, len(raw.items), settings.reviews_per_item)
        for row_OL in (by_user.row_OL, by_item.row_OL):
            needed_E[row_OL[row_OL >= 0].numpy()] = True
    return needed_E


def in_core(raw: RawData, train_E: Bools) -> Bools:
    """Return which train events are learned from: those of the data set's k-core."""
    core_E = np.zeros(len(train_E), np.bool_)
    core_E[train_E] = k_core(raw.events.user_E[train_E], raw.events.item_E[train_E], *raw.core)
    return core_E


def _of_core(raw: RawData, core_E: Bools, part_E: Parts) -> Bools:
    """Return which events early stopping may look at: any without a core, else those of its users and items."""
    if raw.core == (0, 0):
        return np.ones(len(part_E), np.bool_)
    user_E, item_E = raw.events.user_E, raw.events.item_E
    return np.isin(user_E, user_E[core_E]) & np.isin(item_E, item_E[core_E])


def _shared(raw: RawData, contents: Contents, edges: Edges, settings: Settings) -> dict[str, Any]:
    """What the three datasets have in common."""
    term_item_P, term_P = terms(raw)
    return {
        "users": raw.users,
        "items": raw.items,
        "review_RT": contents.review_RT,
        "text_IT": contents.text_IT,
        "text_present_I": contents.text_present_I,
        "text_from_reviews_I": contents.from_reviews_I,
        "image_IV": contents.image_IV,
        "image_present_I": contents.image_present_I,
        "edge_src_K": edges[0],
        "edge_dst_K": edges[1],
        "edge_weight_K": edges[2],
        "reviews_per_user": settings.reviews_per_user,
        "reviews_per_item": settings.reviews_per_item,
        "numeric_IN": numbers(raw),
        "genre_IG": labels(raw),
        "term_item_P": term_item_P,
        "term_P": term_P,
    }


def _events(raw: RawData, contents: Contents, core_E: Bools, validation_E: Bools, chosen_E: Bools) -> dict[str, Any]:
    """What they differ in: the chosen events."""
    every = {
        "event_user_E": raw.events.user_E,
        "event_item_E": raw.events.item_E,
        "in_core_E": core_E | validation_E,
        "validation_E": validation_E,
        "review_E": contents.review_E,
        "rating_E": raw.rating_E,
        "time_E": raw.events.time_E,
        "location_E": raw.location_E,
    }
    return {name: value_E[chosen_E] if len(value_E) else value_E for name, value_E in every.items()}


def _weighted(dataset: Dataset) -> Dataset:
    """Return a dataset whose edges count all of its events, as families take them to.

    They give an edge the share of its weight that seen events made (data/edges.py). So what training sees of it
    is the train events' count exactly; which edges there are, train alone has decided.
    """
    src, dst = dataset.edge_src_K, dataset.edge_dst_K
    all_K = shared_users(events_matrix(dataset), src, dst)
    seen_K = shared_users(events_matrix(dataset, ~dataset.validation_E), src, dst)
    weight_K = dataset.edge_weight_K * all_K / np.maximum(seen_K, 1)
    return replace(dataset, edge_weight_K=weight_K.astype(np.float32))


def _holdout(raw: RawData, known: Known) -> Holdout:
    """The pairs that are asked for, of users of whom something is known."""
    user_E = raw.events.user_E
    asked_E = known.target_E & np.isin(user_E, user_E[known.history_E])
    return Holdout(
        user_E[asked_E],
        raw.events.item_E[asked_E],
        dropped=int(known.target_E.sum() - asked_E.sum()),
        rating_T=raw.rating_E[asked_E] if len(raw.rating_E) else None,
    )


def _pairs(raw: RawData, chosen_E: Bools) -> sparse.csr_matrix:
    pairs = raw.events.user_E[chosen_E], raw.events.item_E[chosen_E]
    return sparse.csr_matrix((np.ones(len(pairs[0]), np.bool_), pairs), shape=(len(raw.users), len(raw.items)))
