"""The identity of a dataset's content."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np

from recsys_jobs.data.dataset import Dataset


def content_hash(dataset: Dataset) -> str:
    """sha256 of everything the dataset holds, names of the fields included."""
    digest = hashlib.sha256()
    for field in dataclasses.fields(dataset):
        digest.update(field.name.encode())
        value = getattr(dataset, field.name)
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).data)
        else:
            digest.update(json.dumps(value).encode())
    return digest.hexdigest()
