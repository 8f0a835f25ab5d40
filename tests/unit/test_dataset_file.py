"""A dataset that went through a file is the same one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from recsys_jobs.data import dataset_file
from recsys_jobs.data.content_hash import content_hash
from recsys_jobs.data.dataset import Dataset
from tests.unit.worlds import dataset, with_everything


def through(data: Dataset, folder: Path) -> Dataset:
    dataset_file.save(data, folder / "d.safetensors")
    return dataset_file.load(folder / "d.safetensors")


def test_everything_comes_back(tmp_path: Path) -> None:
    events = len(with_everything().event_user_E)
    data = dataclasses.replace(
        with_everything(),
        rating_E=np.full(events, 4.5, np.float32),
        time_E=np.arange(events),
        genre_IG=np.eye(20, 3, dtype=np.bool_),
    )
    again = through(data, tmp_path)
    assert content_hash(again) == content_hash(data)
    assert (again.users, again.reviews_per_user) == (data.users, data.reviews_per_user)


def test_nothing_but_ids_comes_back_too(tmp_path: Path) -> None:
    data = dataset([(0, 0)], 1, 1)
    again = through(dataclasses.replace(data, users=["ü\n\u2028"]), tmp_path)
    assert again.users == ["ü\n\u2028"]
    assert again.image_IV.shape == (1, 0)
