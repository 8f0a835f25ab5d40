"""A dataset as it would be without some of its events. U users, I items, E events, K edges."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.data.edges import seen_weights
from recsys_jobs.data.histories import events_matrix


def without_events(dataset: Dataset, left_out_E: Bools) -> Dataset:
    """Return a dataset as it would be without some events; edges that only they made are gone."""
    seen_E = ~left_out_E
    all_UI, seen_UI = events_matrix(dataset), events_matrix(dataset, seen_E)
    weight_K, _ = seen_weights(dataset, all_UI, seen_UI)
    stays_K = weight_K > 0
    changed: dict[str, Any] = {
        "edge_src_K": dataset.edge_src_K[stays_K],
        "edge_dst_K": dataset.edge_dst_K[stays_K],
        "edge_weight_K": weight_K[stays_K].astype(np.float32),
    }
    for field in dataclasses.fields(dataset):
        if field.name.endswith("_E"):
            value_E = getattr(dataset, field.name)
            changed[field.name] = value_E[seen_E] if len(value_E) else value_E
    return dataclasses.replace(dataset, **changed)
