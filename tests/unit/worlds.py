"""Small datasets whose right answers are known."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from recsys_jobs.data.dataset import Dataset

TEXT, IMAGE = 6, 5


def dataset(pairs: list[tuple[int, int]], users: int, items: int, validation: int = 0, **changes: Any) -> Dataset:
    """Return a dataset of (user, item) events in order, the last `validation` of them held out.

    Without contents and edges, unless `changes` name them.
    """
    events = len(pairs)
    plain = Dataset(
        users=[f"u{n:05d}" for n in range(users)],
        items=[f"i{n:05d}" for n in range(items)],
        event_user_E=np.array([user for user, _ in pairs], np.int64),
        event_item_E=np.array([item for _, item in pairs], np.int64),
        in_core_E=np.ones(events, np.bool_),
        validation_E=np.arange(events) >= events - validation,
        review_E=np.full(events, -1, np.int64),
        review_RT=np.zeros((0, TEXT), np.float32),
        text_IT=np.zeros((items, TEXT), np.float32),
        text_present_I=np.zeros(items, np.bool_),
        text_from_reviews_I=np.zeros(items, np.bool_),
        image_IV=np.zeros((items, 0), np.float32),
        image_present_I=np.zeros(items, np.bool_),
        edge_src_K=np.zeros(0, np.int64),
        edge_dst_K=np.zeros(0, np.int64),
        edge_weight_K=np.zeros(0, np.float32),
        reviews_per_user=2,
        reviews_per_item=2,
    )
    return dataclasses.replace(plain, **changes)


def with_everything(seed: int = 0, users: int = 30, items: int = 20, validation: int = 20) -> Dataset:
    """Return a random dataset with reviews, texts, images and edges, some of each missing."""
    random = np.random.default_rng(seed)
    cells = random.permutation(users * items)[: users * 5]
    pairs = [(int(cell) // items, int(cell) % items) for cell in cells]
    src, dst = (a.astype(np.int64) for a in np.nonzero(np.triu(random.random((items, items)) < 0.2, 1)))
    return dataset(
        pairs,
        users,
        items,
        validation,
        review_E=np.where(random.random(len(pairs)) < 0.8, np.arange(len(pairs)), -1),
        review_RT=random.normal(size=(len(pairs), TEXT)).astype(np.float32),
        text_IT=random.normal(size=(items, TEXT)).astype(np.float32),
        text_present_I=random.random(items) < 0.8,
        text_from_reviews_I=random.random(items) < 0.4,
        image_IV=random.normal(size=(items, IMAGE)).astype(np.float32),
        image_present_I=random.random(items) < 0.6,
        edge_src_K=src,
        edge_dst_K=dst,
        edge_weight_K=random.integers(1, 4, len(src)).astype(np.float32),
        rating_E=random.integers(1, 6, len(pairs)).astype(np.float32),
    )


def without_validation(data: Dataset) -> Dataset:
    """Return a dataset as it was before its validation events; its edges stay."""
    per_event = [field.name for field in dataclasses.fields(data) if field.name.endswith("_E")]
    kept = {name: value[~data.validation_E] for name in per_event if len(value := getattr(data, name))}
    return dataclasses.replace(data, **kept)


def rated_tastes(seed: int = 0, users: int = 80, items: int = 40, each: int = 6) -> Dataset:
    """Return the checkerboard in stars: everyone also had items of the other taste, and gave them one star, not five.

    The last event of each, which is held out, is of the own taste.
    """
    random = np.random.default_rng(seed)
    other = [random.choice(np.arange(1 - user % 2, items, 2), each, replace=False) for user in range(users)]
    wrong = [(user, int(other[user][turn])) for turn in range(each) for user in range(users)]
    right = two_tastes(seed, users, items, each)
    pairs = [*wrong, *zip(right.event_user_E.tolist(), right.event_item_E.tolist(), strict=True)]
    stars = np.repeat(np.array([1, 5], np.float32), [len(wrong), len(pairs) - len(wrong)])
    return dataset(pairs, users, items, validation=users, rating_E=stars)


def two_tastes(seed: int = 0, users: int = 80, items: int = 40, each: int = 6) -> Dataset:
    """Return a checkerboard: even users have even items, odd users odd ones. The last event of each is held out."""
    random = np.random.default_rng(seed)
    taken = [random.choice(np.arange(user % 2, items, 2), each, replace=False) for user in range(users)]
    pairs = [(user, int(taken[user][turn])) for turn in range(each) for user in range(users)]
    return dataset(pairs, users, items, validation=users)


def new_arrivals(modality: str, users: int = 120, items: int = 40) -> Dataset:
    """Return a checkerboard whose last ten items nobody had; their contents of one modality show their kind, as all do.

    `modality` is text, image or numbers; what the contents are is noise beside the sign of their first value.
    """
    random = np.random.default_rng(0)
    pairs = [(u, int(i)) for u in range(users) for i in random.choice(np.arange(u % 2, items - 10, 2), 5, False)]
    row_IW = random.normal(size=(items, 4)).astype(np.float32) * 0.3
    row_IW[:, 0] = np.where(np.arange(items) % 2, -1, 1) + row_IW[:, 0]
    there_I = np.ones(items, np.bool_)
    contents: dict[str, dict[str, Any]] = {
        "text": {"text_IT": row_IW, "text_present_I": there_I, "review_RT": np.zeros((0, 4), np.float32)},
        "image": {"image_IV": row_IW, "image_present_I": there_I},
        "numbers": {"numeric_IN": row_IW},
    }
    return dataset(pairs, users, items, **contents.get(modality, {}))
