"""What a model is fitted on: one cut's events, contents and edges, in memory.

U users, I items, E events, R reviews, K edges, T text width, V image width, N numbers, G genres,
P pairs of an item and a term. Rows of users and items are in the order of their sorted ids, events in their
total order, so file and row order never matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from recsys_jobs.contracts.errors import JobError

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Dataset:
    """One cut. Modalities may be absent: zero-width arrays, or nothing marked present.

    `users` has everyone with an event before the cut, `items` every eligible item. A user owns the
    items of all its events; `in_core_E` and `validation_E` limit fitting only, and training's positives are those of
    the core outside the validation. `review_E` is the event's row of `review_RT`, or -1. Where
    `text_from_reviews_I` an item's own reviews stand beside its title (the description is missing). Each undirected
    edge stands once, in either direction.
    The last seven fields are empty where the source has nothing of the kind: `rating_E` is stars, NaN where
    a pair has none; `time_E` seconds since 1970, UTC, -1 where unknown; `numeric_IN` has NaN where unknown;
    `location_E` is a number of the place that an event was made from, the same in every dataset, -1 where unknown;
    an item has the terms `term_P` (words, labels) of its pairs, numbers that a term has in every dataset.
    Raises JobError where these rules are broken.
    """

    users: list[str]
    items: list[str]
    event_user_E: Ints
    event_item_E: Ints
    in_core_E: Bools
    validation_E: Bools
    review_E: Ints
    review_RT: Floats
    text_IT: Floats
    text_present_I: Bools
    text_from_reviews_I: Bools
    image_IV: Floats
    image_present_I: Bools
    edge_src_K: Ints
    edge_dst_K: Ints
    edge_weight_K: Floats
    reviews_per_user: int
    reviews_per_item: int
    rating_E: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    time_E: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    location_E: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    numeric_IN: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    genre_IG: Bools = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    term_item_P: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    term_P: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        _check_ids("users", self.users)
        _check_ids("items", self.items)
        self._check_lengths()
        self._check_types()
        _check_range("event_user_E", self.event_user_E, 0, len(self.users))
        _check_range("event_item_E", self.event_item_E, 0, len(self.items))
        _check_range("term_item_P", self.term_item_P, 0, len(self.items))
        _check_range("review_E", self.review_E, -1, len(self.review_RT))
        self._check_pairs()
        self._check_edges()
        for name in ("review_RT", "text_IT", "image_IV", "edge_weight_K"):
            _require(bool(np.isfinite(getattr(self, name)).all()), f"{name} has a value that is not finite")
        _require(self.review_RT.shape[1] == self.text_IT.shape[1], "reviews and item texts differ in width")
        _require(self.reviews_per_user > 0 and self.reviews_per_item > 0, "reviews per user and item must be above 0")

    def train_events(self) -> Bools:
        """Return which events are training's positives in an exam fit: of the core, outside validation."""
        return self.in_core_E & ~self.validation_E

    def pair_keys(self) -> Ints:
        """Return the sorted keys user * I + item of everything owned."""
        return np.sort(self.event_user_E * len(self.items) + self.event_item_E)

    def _check_lengths(self) -> None:
        events, items, edges = len(self.event_user_E), len(self.items), len(self.edge_src_K)
        for name in ("event_item_E", "in_core_E", "validation_E", "review_E"):
            _require(getattr(self, name).shape == (events,), f"{name} does not have one value per event")
        for name in ("text_IT", "text_present_I", "text_from_reviews_I", "image_IV", "image_present_I"):
            _require(len(getattr(self, name)) == items, f"{name} does not have one row per item")
        for name in ("rating_E", "time_E", "location_E"):
            _require(getattr(self, name).shape in ((0,), (events,)), f"{name} does not have one value per event")
        for name in ("numeric_IN", "genre_IG"):
            _require(len(getattr(self, name)) in (0, items), f"{name} does not have one row per item")
        _require(self.term_P.shape == self.term_item_P.shape, "term_P does not have one value per pair")
        for name in ("edge_dst_K", "edge_weight_K"):
            _require(getattr(self, name).shape == (edges,), f"{name} does not have one value per edge")
        for name in ("review_RT", "text_IT", "image_IV", "numeric_IN", "genre_IG"):
            _require(getattr(self, name).ndim == 2, f"{name} is not a matrix")

    def _check_types(self) -> None:
        dtypes = {"Ints": np.int64, "Bools": np.bool_, "Floats": np.float32}
        for array in fields(self):
            if (expected := dtypes.get(str(array.type))) is not None:
                dtype = getattr(self, array.name).dtype
                _require(dtype == expected, f"{array.name} holds {dtype}, not {np.dtype(expected)}")

    def _check_pairs(self) -> None:
        keys = self.pair_keys()
        _require(bool((keys[1:] != keys[:-1]).all()), "a user and item pair stands twice among the events")

    def _check_edges(self) -> None:
        _check_range("edge_src_K", self.edge_src_K, 0, len(self.items))
        _check_range("edge_dst_K", self.edge_dst_K, 0, len(self.items))
        _require(bool((self.edge_src_K != self.edge_dst_K).all()), "an edge joins an item to itself")
        low = np.minimum(self.edge_src_K, self.edge_dst_K)
        keys = np.sort(low * len(self.items) + np.maximum(self.edge_src_K, self.edge_dst_K))
        _require(bool((keys[1:] != keys[:-1]).all()), "an edge stands twice")
        _require(bool((self.edge_weight_K > 0).all()), "an edge's weight is not above 0")


def _check_ids(name: str, ids: list[str]) -> None:
    _require(all(a < b for a, b in zip(ids, ids[1:], strict=False)), f"{name} are not sorted, or one stands twice")


def _check_range(name: str, values: Ints, low: int, high: int) -> None:
    if len(values) and (values.min() < low or values.max() >= high):
        raise JobError(f"the dataset is broken: {name} leaves [{low}, {high}); make the snapshots of this cut again")


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise JobError(f"the dataset is broken: {otherwise}; make the snapshots of this cut again")
