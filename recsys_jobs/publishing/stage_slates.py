"""Computes the slates of the night into staging: top K for everyone, similar items, popular items.

Users are taken in blocks, so memory is bounded by a block times the catalogue; nothing here is seen by a reader.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from recsys_jobs.contracts.tables import POPULAR_ITEMS, PUBLICATIONS, RECOMMENDATIONS, SIMILAR_ITEMS
from recsys_jobs.data.dataset import Bools, Dataset, Ints
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake import delta, lineage, staging
from recsys_jobs.lake.code_version import code_version
from recsys_jobs.promotion.night_context import NightContext
from recsys_jobs.publishing.blocklist import blocked
from recsys_jobs.publishing.choose_model import to_publish
from recsys_jobs.ranking import top_k
from recsys_jobs.registry.fits import Fit
from recsys_jobs.registry.mlflow_client import registered_name
from recsys_jobs.training.epochs import total_epochs

log = logging.getLogger(__name__)


def stage_night(night: NightContext, *, may_fit: bool = False) -> None:
    """Stage what this night is to publish. JobError where that is not fitted yet, unless it `may_fit`: no night may."""
    versions = lineage.input_versions()
    with delta.pinned(versions):  # what is recorded is what was read
        dataset = load_dataset(night.run_date, night.settings)
        stage(night, dataset, *to_publish(night, dataset, may_fit=may_fit), versions)


def stage(night: NightContext, dataset: Dataset, fit: Fit, version: int | None, versions: lineage.Versions) -> None:
    """Write the shards of what this night publishes, nothing of the blocklist in it, and of what it was made from."""
    began = time.monotonic()
    blocked_I = blocked(night.run_date, dataset.items)
    same: dict[str, Any] = {
        "run_date": night.run_date,
        "model_name": registered_name() if version else fit.recipe.name,
        "model_version": version,
        "model_fingerprint": fit.fingerprint,
    }
    rows = staging.write(RECOMMENDATIONS, night.run_date, _slates(fit, dataset, night.settings.k, blocked_I, same))
    log.info("recommendations: %d rows for %d users in %.1f s", rows, len(dataset.users), time.monotonic() - began)
    rows = staging.write(
        SIMILAR_ITEMS, night.run_date, _similar(fit, dataset, night.settings.similar_k, blocked_I, same)
    )
    log.info("similar_items: %d rows for %d items", rows, len(dataset.items))
    staging.write(POPULAR_ITEMS, night.run_date, [_popular(dataset, night, blocked_I)])
    made_from = lineage.Publication(
        **same,
        recipe=fit.recipe.name,
        run_id=fit.run_id,
        seed=night.settings.seed,
        epochs=total_epochs(fit.epochs),
        settings=night.settings,
        delta_versions=versions,
        code_version=code_version(),
    )
    staging.write(PUBLICATIONS, night.run_date, [lineage.publication_row(made_from, len(dataset.users))])


def _slates(fit: Fit, dataset: Dataset, k: int, blocked_I: Bools, same: dict[str, Any]) -> Iterator[pa.Table]:
    """One shard a block of users: exactly min(K, eligible - owned - blocked) rows each, best first."""
    users, items = pa.array(dataset.users, pa.string()), pa.array(dataset.items, pa.string())
    for slate in top_k.top_k(fit.model, dataset, k, blocked_items=np.flatnonzero(blocked_I)):
        row, rank, kept_BK = _filled(slate.item_BK, slate.count_B)
        columns = {
            "user_id": users.take(pa.array(slate.user_B[row])),
            "rank": pa.array(rank, pa.int32()),
            "item_id": items.take(pa.array(slate.item_BK[kept_BK])),
            "score": pa.array(slate.score_BK[kept_BK].astype(np.float64)),
        }
        yield _with(columns, same, len(rank))


def _similar(fit: Fit, dataset: Dataset, k: int, blocked_I: Bools, same: dict[str, Any]) -> Iterator[pa.Table]:
    """One shard a block of items: at most k that the model holds alike; none for a blocked one."""
    items = pa.array(dataset.items, pa.string())
    for alike in top_k.similar_items(fit.model, k, blocked_items=np.flatnonzero(blocked_I)):
        row, rank, kept_BK = _filled(alike.similar_BK, np.where(blocked_I[alike.item_B], 0, alike.count_B))
        columns = {
            "item_id": items.take(pa.array(alike.item_B[row])),
            "rank": pa.array(rank, pa.int32()),
            "similar_item_id": items.take(pa.array(alike.similar_BK[kept_BK])),
            "score": pa.array(alike.score_BK[kept_BK].astype(np.float64)),
        }
        yield _with(columns, same, len(rank))


def _filled(item_BK: Ints, count_B: Ints) -> tuple[Ints, Ints, Bools]:
    """Row and rank (from 1) of each place that holds something, and which places do."""
    kept_BK = np.arange(item_BK.shape[1])[None, :] < count_B[:, None]
    row, place = np.nonzero(kept_BK)
    return row, place + 1, kept_BK


def _popular(dataset: Dataset, night: NightContext, blocked_I: Bools) -> pa.Table:
    """The items that most people had, ties by id; the slate for people we do not know."""
    best_K, users_K = top_k.popular_items(dataset, night.settings.k, blocked_items=np.flatnonzero(blocked_I))
    columns = {
        "rank": pa.array(np.arange(1, len(best_K) + 1), pa.int32()),
        "item_id": pa.array([dataset.items[i] for i in best_K], pa.string()),
        "users": pa.array(users_K, pa.int64()),
    }
    return _with(columns, {"run_date": night.run_date}, len(best_K))


def _with(columns: dict[str, pa.Array], same: dict[str, Any], rows: int) -> pa.Table:
    types = {"run_date": pa.date32(), "model_version": pa.int32()}
    return pa.table(columns | {name: pa.repeat(pa.scalar(v, types.get(name)), rows) for name, v in same.items()})
