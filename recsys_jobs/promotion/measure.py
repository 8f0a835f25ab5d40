"""A fit measured on a night's holdout: its metrics, and how far it is ahead of another."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.bootstrap import paired_difference
from recsys_jobs.evaluation.top_k_evaluation import TopKEvaluation, evaluate_top_k
from recsys_jobs.lake import model_metrics
from recsys_jobs.promotion.gate import Difference
from recsys_jobs.registry import mlflow_client
from recsys_jobs.registry.fits import Fit

log = logging.getLogger(__name__)


def examined(fit: Fit, dataset: Dataset, holdout: Holdout, settings: Settings) -> TopKEvaluation:
    """Ask a fit the night's question, and log what it scored."""
    result = evaluate_top_k(fit.model, dataset, holdout, k_values=sorted({10, settings.k}), seed=settings.seed)
    shown = {row.metric: row.value for row in result.rows if row.slice == "all" and row.k == settings.k}
    log.info(
        "%-12s %s",
        fit.recipe.name,
        "  ".join(f"{name}@{settings.k} {value:.4f}" for name, value in sorted(shown.items())),
    )
    return result


def ndcg_difference(
    model: TopKEvaluation, floor: TopKEvaluation, settings: Settings, level: float = 0.95
) -> Difference:
    """NDCG at the published K, model minus floor (or another that it is measured against), user by user."""
    ours, theirs = (result.per_user("ndcg", settings.k) for result in (model, floor))
    if not len(ours):
        return Difference(0.0, 0.0, 0.0, 0)
    interval = paired_difference(ours, theirs, seed=settings.seed, level=level)
    return Difference(interval.value, interval.low, interval.high, len(ours))


def metric_rows(
    run_date: date, fit: Fit, result: TopKEvaluation, protocol: str = model_metrics.NIGHT
) -> list[dict[str, Any]]:
    """The rows of `model_metrics` that an exam gave."""
    same = {
        "run_date": run_date,
        "model_name": mlflow_client.registered_name(),
        "recipe": fit.recipe.name,
        "model_fingerprint": fit.fingerprint,
        "protocol": protocol,
    }
    return [same | row._asdict() for row in result.rows]
