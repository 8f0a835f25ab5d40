"""The datasets of one exam: to fit on and to score, the holdout, the masked pairs. Pure.

Without `final` the holdout is the validation part, and models know train alone. With it the holdout is the
test part. Then the validation events are history where a protocol has an order in time, because they came
before; in the others they stay unknown, as in papers, and are masked.

E events of the data set, I items, U users, O owners and L reviews as in histories, R reviews, K edges,
T text width, V image width, P pairs of an item and a term.
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
from recsys_jobs.data.histories import events_matrix, last_reviews, pair_matrix
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.data.k_core import k_core
from recsys_jobs.data.readers.raw import RawData, labels, numbers, terms
from recsys_jobs.data.split_protocols import TEST, TEST_INPUT, TRAIN, VALIDATION, VALIDATION_INPUT, Parts, get_protocol
from recsys_jobs.exam.contents import Contents
from recsys_jobs.training.recipe import Recipe, is_iterative

Edges = tuple[Ints, Ints, Floats]  # src, dst, weight [K]


@dataclass(frozen=True)
class EvaluationDatasets:
    """The datasets of one exam, all three over the same users and items.

    A family that trains in epochs is fitted on `early_stopping`, whose validation events are flagged, any other
    on `train`; either then ranks over `score`, which holds the history by then.
    """

    early_stopping: Dataset
    train: Dataset
    score: Dataset
    holdout: Holdout
    hidden_UI: sparse.csr_matrix | None  # masked besides the events of `score`
    masked: str  # in words
    refit: Dataset | None = None  # train and validation, on which each model is fitted again; None: it is not

    def for_fit(self, recipe: Recipe) -> Dataset:
        """Return the dataset that a recipe's family is fitted on."""
        return self.early_stopping if is_iterative(recipe) else self.train

    def map_datasets(self, change: Callable[[Dataset], Dataset]) -> EvaluationDatasets:
        """Return the same exam with a change made to each of the datasets."""
        early_stopping, train, score = (change(dataset) for dataset in (self.early_stopping, self.train, self.score))
        refit = change(self.refit) if self.refit else None
        return replace(self, early_stopping=early_stopping, train=train, score=score, refit=refit)


@dataclass(frozen=True)
class HistoryAndTargets:
    """Which events are history when the holdout begins, which are its targets, which are masked besides."""

    history_E: Bools
    target_E: Bools
    hidden_E: Bools
    masked: str
    refit: bool = False  # models are fitted again on the history, validation included


def history_and_targets(part_E: Parts, name: str, final: bool, mask: str, refit: bool = False) -> HistoryAndTargets:
    """Return which events are history and which are targets; UsageError where the protocol does not allow `mask`.

    `mask` is train_validation, train (the train items alone, as MMRec's code does) or both, one after the other.
    With `refit` the validation events are history at test in every protocol.
    """
    none_E = np.zeros(len(part_E), np.bool_)
    masked = "train" if not (part_E == TEST_INPUT).any() else "the part of each examined user's history that is given"
    if not final:
        history_E = np.isin(part_E, (TRAIN, VALIDATION_INPUT))
        return HistoryAndTargets(history_E, part_E == VALIDATION, none_E, masked)
    target_E = part_E == TEST
    if refit:
        if masked != "train":
            raise UsageError(f"--refit would learn from the new users that protocol {name} asks about: leave it out")
        history_E = np.isin(part_E, (TRAIN, VALIDATION))
        return HistoryAndTargets(history_E, target_E, none_E, "train and validation, fitted again on both", refit=True)
    if get_protocol(name).validation_is_history:
        if mask != "train_validation":
            raise UsageError(f"protocol {name} has validation as history, which is masked: leave --mask out")
        history_E = np.isin(part_E, (TRAIN, VALIDATION))
        return HistoryAndTargets(history_E, target_E, none_E, "train and validation")
    history_E = np.isin(part_E, (TRAIN, TEST_INPUT))
    if mask == "train" or masked != "train":  # new users have no validation items
        return HistoryAndTargets(history_E, target_E, none_E, masked)
    return HistoryAndTargets(history_E, target_E, part_E == VALIDATION, "train and validation")


def mask_variants(datasets: EvaluationDatasets, mask: str) -> list[EvaluationDatasets]:
    """Return the variants that `mask` names: the same exam, with validation items masked or not."""
    if mask != "both" or datasets.hidden_UI is None:
        return [datasets]
    return [datasets, replace(datasets, hidden_UI=None, masked="train")]


def build_datasets(
    raw: RawData, part_E: Parts, split: HistoryAndTargets, contents: Contents, settings: Settings
) -> EvaluationDatasets:
    """Return the exam's datasets of a data set that is divided into parts."""
    core_E = in_core(raw, part_E == TRAIN)
    none_E = np.zeros(len(part_E), np.bool_)
    validation_E = (part_E == VALIDATION) & _may_validate(raw, core_E, part_E)
    if not validation_E.any():
        raise JobError("no validation event is of a user and an item that are learned from: lower --core")
    seen_E = np.isin(part_E, (TRAIN, VALIDATION_INPUT))
    shared = _shared_fields(raw, contents, _train_edges(raw, core_E, settings), settings)

    def dataset(validation_E: Bools, chosen_E: Bools) -> Dataset:
        return Dataset(**shared, **_event_fields(raw, contents, core_E, validation_E, chosen_E))

    datasets = EvaluationDatasets(
        early_stopping=_weight_edges_by_all_events(dataset(validation_E, seen_E | validation_E)),
        train=dataset(none_E, part_E == TRAIN),
        score=dataset(none_E, split.history_E),
        holdout=_holdout(raw, split),
        hidden_UI=_hidden_pairs(raw, split.hidden_E) if split.hidden_E.any() else None,
        masked=split.masked,
    )
    return _with_refit(datasets, raw, split, contents, settings) if split.refit else datasets


def _with_refit(
    datasets: EvaluationDatasets, raw: RawData, split: HistoryAndTargets, contents: Contents, settings: Settings
) -> EvaluationDatasets:
    """Return the exam with its whole history as events to learn from, and edges that count them."""
    core_E = in_core(raw, split.history_E)
    shared = _shared_fields(raw, contents, _train_edges(raw, core_E, settings), settings)
    no_validation_E = np.zeros_like(core_E)
    refit = Dataset(**shared, **_event_fields(raw, contents, core_E, no_validation_E, split.history_E))
    return replace(datasets, score=refit, refit=refit)


def _train_edges(raw: RawData, core_E: Bools, settings: Settings) -> Edges:
    """Return the co-review edges of the events that are learned from."""
    user_E, item_E = raw.events.user_E[core_E], raw.events.item_E[core_E]
    return co_review_edges(user_E, item_E, len(raw.items), settings.history_for_edges, settings.edges_per_item)


def needed_reviews(raw: RawData, part_E: Parts, split: HistoryAndTargets, settings: Settings) -> Bools:
    """Return the events whose reviews a model may use: the last of users, and of items without a description."""
    needed_E = np.zeros(len(part_E), np.bool_)
    if not raw.review_E:
        return needed_E
    user_E, item_E = raw.events.user_E, raw.events.item_E
    has_text_E = np.array([bool(text.strip()) for text in raw.review_E])
    undescribed_I = np.array([not item.described for item in raw.metadata_I])
    undescribed_E = undescribed_I[item_E]
    for seen_E in (np.isin(part_E, (TRAIN, VALIDATION, VALIDATION_INPUT)), part_E == TRAIN, split.history_E):
        row_E = np.where(seen_E & has_text_E, np.arange(len(part_E)), -1)
        by_user = last_reviews(user_E, item_E, row_E, len(raw.users), settings.reviews_per_user)
        own_E = np.where(undescribed_E, row_E, -1)
        by_item = last_reviews(item_E, user_E, own_E, len(raw.items), settings.reviews_per_item)
        for row_OL in (by_user.row_OL, by_item.row_OL):
            needed_E[row_OL[row_OL >= 0].numpy()] = True
    return needed_E


def in_core(raw: RawData, train_E: Bools) -> Bools:
    """Return which train events are training's positives: those of the data set's k-core."""
    core_E = np.zeros(len(train_E), np.bool_)
    core_E[train_E] = k_core(raw.events.user_E[train_E], raw.events.item_E[train_E], *raw.core)
    return core_E


def _may_validate(raw: RawData, core_E: Bools, part_E: Parts) -> Bools:
    """Return which events early stopping may use: any without a core, else those of its users and items."""
    if raw.core == (0, 0):
        return np.ones(len(part_E), np.bool_)
    user_E, item_E = raw.events.user_E, raw.events.item_E
    return np.isin(user_E, user_E[core_E]) & np.isin(item_E, item_E[core_E])


def _shared_fields(raw: RawData, contents: Contents, edges: Edges, settings: Settings) -> dict[str, Any]:
    """Return the fields that the three datasets share."""
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


def _event_fields(
    raw: RawData, contents: Contents, core_E: Bools, validation_E: Bools, chosen_E: Bools
) -> dict[str, Any]:
    """Return the fields that differ: those of the chosen events."""
    columns = {
        "event_user_E": raw.events.user_E,
        "event_item_E": raw.events.item_E,
        "in_core_E": core_E | validation_E,
        "validation_E": validation_E,
        "review_E": contents.review_E,
        "rating_E": raw.rating_E,
        "time_E": raw.events.time_E,
        "location_E": raw.location_E,
    }
    return {name: value_E[chosen_E] if len(value_E) else value_E for name, value_E in columns.items()}


def _weight_edges_by_all_events(dataset: Dataset) -> Dataset:
    """Return a dataset whose edges count all of its events, as families assume.

    They give an edge the share of its weight that seen events made (data/edges.py). So what training sees of it
    is the train events' count exactly; which edges there are, train alone has decided.
    """
    src_K, dst_K = dataset.edge_src_K, dataset.edge_dst_K
    all_UI = events_matrix(dataset)
    seen_UI = events_matrix(dataset, ~dataset.validation_E)
    all_K = shared_users(all_UI, src_K, dst_K)
    seen_K = shared_users(seen_UI, src_K, dst_K)
    weight_K = dataset.edge_weight_K * all_K / np.maximum(seen_K, 1)
    return replace(dataset, edge_weight_K=weight_K.astype(np.float32))


def _holdout(raw: RawData, split: HistoryAndTargets) -> Holdout:
    """Return the target pairs of users who have a history."""
    user_E = raw.events.user_E
    target_E = split.target_E & np.isin(user_E, user_E[split.history_E])
    return Holdout(
        user_E[target_E],
        raw.events.item_E[target_E],
        dropped=int(split.target_E.sum() - target_E.sum()),
        rating_T=raw.rating_E[target_E] if len(raw.rating_E) else None,
    )


def _hidden_pairs(raw: RawData, chosen_E: Bools) -> sparse.csr_matrix:
    shape = len(raw.users), len(raw.items)
    return pair_matrix(raw.events.user_E[chosen_E], raw.events.item_E[chosen_E], shape, np.bool_)
