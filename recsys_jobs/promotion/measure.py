"""Evaluates a fit on a night's holdout: its metrics, and how far it is ahead of another. U users."""

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


def evaluate_fit(fit: Fit, dataset: Dataset, holdout: Holdout, settings: Settings) -> TopKEvaluation:
    """Evaluate a fit on the night's holdout, and log its metrics at the published K."""
    k_values = sorted({10, settings.k})
    result = evaluate_top_k(fit.model, dataset, holdout, k_values=k_values, seed=settings.seed)
    values = {row.metric: row.value for row in result.rows if row.slice == "all" and row.k == settings.k}
    texts = [f"{metric}@{settings.k} {value:.4f}" for metric, value in sorted(values.items())]
    log.info("%-12s %s", fit.recipe.name, "  ".join(texts))
    return result


def ndcg_difference(
    model: TopKEvaluation, floor: TopKEvaluation, settings: Settings, level: float = 0.95
) -> Difference:
    """NDCG at the published K, model minus floor (or another that it is measured against), user by user."""
    model_U = model.per_user("ndcg", settings.k)
    floor_U = floor.per_user("ndcg", settings.k)
    if not len(model_U):
        return Difference(0.0, 0.0, 0.0, 0)
    interval = paired_difference(model_U, floor_U, seed=settings.seed, level=level)
    return Difference(interval.value, interval.low, interval.high, len(model_U))


def metric_rows(
    run_date: date, fit: Fit, result: TopKEvaluation, protocol: str = model_metrics.NIGHT
) -> list[dict[str, Any]]:
    """The rows of `model_metrics` that hold an evaluation's results."""
    key_columns = {
        "run_date": run_date,
        "model_name": mlflow_client.registered_name(),
        "recipe": fit.recipe.name,
        "model_fingerprint": fit.fingerprint,
        "protocol": protocol,
    }
    return [key_columns | row._asdict() for row in result.rows]
