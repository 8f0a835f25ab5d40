"""A dataset as it would be without some of its events. E events, K edges."""

from __future__ import annotations

import dataclasses

import numpy as np

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.data.edges import seen_weights
from recsys_jobs.data.histories import events_matrix


def without(dataset: Dataset, left_out_E: Bools) -> Dataset:
    """Return a dataset as it would be without some events; edges that only they made are gone."""
    seen_E = ~left_out_E
    weight_K, _ = seen_weights(dataset, events_matrix(dataset), events_matrix(dataset, seen_E))
    per_event = [field.name for field in dataclasses.fields(dataset) if field.name.endswith("_E")]
    edges = {name: getattr(dataset, name)[weight_K > 0] for name in ("edge_src_K", "edge_dst_K")}
    edges["edge_weight_K"] = weight_K[weight_K > 0].astype(np.float32)
    kept = {name: value[seen_E] if len(value := getattr(dataset, name)) else value for name in per_event}
    return dataclasses.replace(dataset, **kept, **edges)
