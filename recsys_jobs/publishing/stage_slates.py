"""Computes the slates of the night into staging: top K for everyone, similar items, popular items.

Users are taken in blocks, so memory is bounded by a block times the catalogue; no reader sees the staged rows.
B a block of users or items, I items, K places, N filled places of a block.
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
from recsys_jobs.publishing.blocklist import blocked_mask
from recsys_jobs.publishing.choose_model import model_to_publish
from recsys_jobs.ranking import top_k
from recsys_jobs.registry.fits import Fit
from recsys_jobs.registry.mlflow_client import registered_name
from recsys_jobs.training.epochs import total_epochs

Columns = dict[str, Any]  # values that are the same in every row of a table
log = logging.getLogger(__name__)


def stage_night(night: NightContext, *, may_fit: bool = False) -> None:
    """Stage the night's tables. JobError where their model is not fitted yet, unless it `may_fit`: no night may."""
    versions = lineage.input_versions()
    with delta.pinned(versions):  # the versions that are recorded are those that were read
        dataset = load_dataset(night.run_date, night.settings)
        choice = model_to_publish(night, dataset, may_fit=may_fit)
        stage_tables(night, dataset, choice.fit, choice.version, versions)


def stage_tables(
    night: NightContext, dataset: Dataset, fit: Fit, version: int | None, versions: lineage.Versions
) -> None:
    """Write the shards of the night's tables, no blocked item among them, and of their lineage (`publications`)."""
    began = time.monotonic()
    run_date, settings = night.run_date, night.settings
    blocked_I = blocked_mask(run_date, dataset.items)
    model: Columns = {
        "run_date": run_date,
        "model_name": registered_name() if version else fit.recipe.name,
        "model_version": version,
        "model_fingerprint": fit.fingerprint,
    }
    rows = staging.write(RECOMMENDATIONS, run_date, _slates(fit, dataset, settings.k, blocked_I, model))
    log.info("recommendations: %d rows for %d users in %.1f s", rows, len(dataset.users), time.monotonic() - began)
    rows = staging.write(SIMILAR_ITEMS, run_date, _similar_items(fit, dataset, settings.similar_k, blocked_I, model))
    log.info("similar_items: %d rows for %d items", rows, len(dataset.items))
    staging.write(POPULAR_ITEMS, run_date, [_popular_items(dataset, night, blocked_I)])
    publication = _publication(night, fit, model, versions)
    staging.write(PUBLICATIONS, run_date, [lineage.publication_row(publication, len(dataset.users))])


def _publication(night: NightContext, fit: Fit, model: Columns, versions: lineage.Versions) -> lineage.Publication:
    """The lineage of the night's tables: their model, how it was fitted, and the versions of its inputs and code."""
    return lineage.Publication(
        **model,
        recipe=fit.recipe.name,
        run_id=fit.run_id,
        seed=night.settings.seed,
        epochs=total_epochs(fit.epochs),
        settings=night.settings,
        delta_versions=versions,
        code_version=code_version(),
    )


def _slates(fit: Fit, dataset: Dataset, k: int, blocked_I: Bools, model: Columns) -> Iterator[pa.Table]:
    """One shard a block of users: exactly min(K, eligible - owned - blocked) rows each, best first."""
    users = pa.array(dataset.users, pa.string())
    items = pa.array(dataset.items, pa.string())
    for block in top_k.top_k(fit.model, dataset, k, blocked_items=np.flatnonzero(blocked_I)):
        row_N, rank_N, filled_BK = _filled_places(block.item_BK, block.count_B)
        columns = {
            "user_id": users.take(pa.array(block.user_B[row_N])),
            "rank": pa.array(rank_N, pa.int32()),
            "item_id": items.take(pa.array(block.item_BK[filled_BK])),
            "score": pa.array(block.score_BK[filled_BK].astype(np.float64)),
        }
        yield _add_constants(columns, model, len(rank_N))


def _similar_items(fit: Fit, dataset: Dataset, k: int, blocked_I: Bools, model: Columns) -> Iterator[pa.Table]:
    """One shard a block of items: at most k similar items of each; none for a blocked item."""
    items = pa.array(dataset.items, pa.string())
    for block in top_k.similar_items(fit.model, k, blocked_items=np.flatnonzero(blocked_I)):
        count_B = np.where(blocked_I[block.item_B], 0, block.count_B)
        row_N, rank_N, filled_BK = _filled_places(block.similar_BK, count_B)
        columns = {
            "item_id": items.take(pa.array(block.item_B[row_N])),
            "rank": pa.array(rank_N, pa.int32()),
            "similar_item_id": items.take(pa.array(block.similar_BK[filled_BK])),
            "score": pa.array(block.score_BK[filled_BK].astype(np.float64)),
        }
        yield _add_constants(columns, model, len(rank_N))


def _filled_places(item_BK: Ints, count_B: Ints) -> tuple[Ints, Ints, Bools]:
    """Row and rank (from 1) of each filled place [N], and which places are filled [B, K]."""
    filled_BK = np.arange(item_BK.shape[1])[None, :] < count_B[:, None]
    row_N, place_N = np.nonzero(filled_BK)
    return row_N, place_N + 1, filled_BK


def _popular_items(dataset: Dataset, night: NightContext, blocked_I: Bools) -> pa.Table:
    """The items that most users had, ties by id; the slate for users who are not in the dataset."""
    item_K, users_K = top_k.popular_items(dataset, night.settings.k, blocked_items=np.flatnonzero(blocked_I))
    columns = {
        "rank": pa.array(np.arange(1, len(item_K) + 1), pa.int32()),
        "item_id": pa.array([dataset.items[item] for item in item_K], pa.string()),
        "users": pa.array(users_K, pa.int64()),
    }
    return _add_constants(columns, {"run_date": night.run_date}, len(item_K))


def _add_constants(columns: dict[str, pa.Array], constants: Columns, rows: int) -> pa.Table:
    """A table of `columns` and, after them, of columns that have the same value in each of `rows` rows."""
    types = {"run_date": pa.date32(), "model_version": pa.int32()}
    scalars = {name: pa.scalar(value, types.get(name)) for name, value in constants.items()}
    repeated = {name: pa.repeat(scalar, rows) for name, scalar in scalars.items()}
    return pa.table(columns | repeated)
