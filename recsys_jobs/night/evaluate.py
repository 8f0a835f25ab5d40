"""Measures the exam fits once on the holdout, and decides what the night publishes.

`python -m recsys_jobs.night.evaluate --run-date D [--recipe NAME]`. Full ranking over what was eligible at H,
history masked. The numbers go to `model_metrics`, the decision to `promotions`, both with plots and a
report to MLflow and `var/reports`.
"""

from __future__ import annotations

import json
import logging
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.contracts.settings import Settings, var_dir
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.from_lake import load_dataset, load_holdout
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.top_k_evaluation import TopKEvaluation
from recsys_jobs.lake import lineage, model_metrics
from recsys_jobs.lake.code_version import code_version
from recsys_jobs.lake.cuts import exam_cut
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.night import report_page
from recsys_jobs.promotion import decision_log
from recsys_jobs.promotion.floor import strongest_floor, validation_ndcg
from recsys_jobs.promotion.gate import Decision, Difference, GateMetrics, decide
from recsys_jobs.promotion.measure import evaluate_fit, metric_rows, ndcg_difference
from recsys_jobs.promotion.night_context import NightContext, parse_night
from recsys_jobs.registry import mlflow_client
from recsys_jobs.registry.fits import Fit, exam_fit

log = logging.getLogger(__name__)


def evaluate(night: NightContext) -> Decision:
    """Evaluate the recipe, the floor and popularity on the same users; record and return the decision.

    Validation chose the floor, and the holdout does not change that choice.
    """
    cut, _ = exam_cut(night.run_date)
    dataset = load_dataset(cut, night.settings)
    holdout = load_holdout(night.run_date, cut, dataset)
    fits = _exam_fits(night, cut, dataset)
    results = [evaluate_fit(fit, dataset, holdout, night.settings) for fit in fits]
    difference = ndcg_difference(results[0], results[1], night.settings)
    decision = _decide(fits, results, difference, night.settings)
    rows: list[dict[str, Any]] = []
    for fit, result in zip(fits, results, strict=True):
        rows += metric_rows(night.run_date, fit, result)
    model_metrics.replace(night.run_date, model_metrics.NIGHT, rows)
    decision_log.record_verdict(_decision_row(night, fits, difference, decision))
    _publish_report(night, cut, holdout, fits, rows, decision)
    return decision


def _exam_fits(night: NightContext, cut: date, dataset: Dataset) -> list[Fit]:
    """The exam fits of the recipe, of the floor, and of popularity where it is neither, in this order."""
    seed, tags = night.settings.seed, night.tags(cut)
    floor = strongest_floor(dataset, night.settings, tags)
    judged = (night.recipe, floor.recipe.name)
    baselines = [name for name in ("popularity", "popularity_recent") if name not in judged]
    model, *others = (exam_fit(dataset, get_recipe(name), seed, tags) for name in [night.recipe, *baselines])
    return [model, floor, *others]


def _decide(fits: list[Fit], results: list[TopKEvaluation], difference: Difference, settings: Settings) -> Decision:
    model = _gate_metrics(fits[0], results[0], settings.k)
    floor = _gate_metrics(fits[1], results[1], settings.k)
    if model.recipe == floor.recipe:
        return Decision("passed", floor.recipe, f"the recipe in force is the floor, {floor.recipe}")
    return decide(
        model,
        floor,
        difference,
        min_users=settings.min_users,
        margin=settings.gate_margin,
        min_coverage=settings.min_coverage_ratio,
    )


def _gate_metrics(fit: Fit, result: TopKEvaluation, k: int) -> GateMetrics:
    values = {row.metric: row.value for row in result.rows if row.slice == "all" and row.k == k}
    return GateMetrics(fit.recipe.name, values.get("ndcg", 0.0), values.get("coverage", 0.0), result.finite)


def _decision_row(night: NightContext, fits: list[Fit], difference: Difference, decision: Decision) -> dict[str, Any]:
    model, floor = fits[0], fits[1]
    evaluation_lineage = {
        "exam_runs": {fit.recipe.name: fit.run_id for fit in fits},
        "floor_validation_ndcg": validation_ndcg(floor),
        "delta_versions": lineage.input_versions(),
        "code_version": code_version(),
        "seed": night.settings.seed,
    }
    return {
        "kind": "gate",
        "effective_date": night.run_date,
        "recipe": model.recipe.name,
        "model_fingerprint": model.fingerprint,
        "floor": floor.recipe.name,
        "floor_fingerprint": floor.fingerprint,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "users": difference.users,
        "decision": decision.decision,
        "publishes": decision.publishes,
        "reason": decision.reason,
        "lineage": json.dumps(evaluation_lineage, sort_keys=True),
    }


def _publish_report(
    night: NightContext, cut: date, holdout: Holdout, fits: list[Fit], rows: list[dict[str, Any]], decision: Decision
) -> None:
    """Write the report to `var/reports` and to MLflow, which keeps one evaluation for each set of fits."""
    facts = {
        "run date (D)": night.run_date,
        "exam cut (H)": cut,
        "holdout pairs": len(holdout.user_T),
        "pairs dropped: item not eligible at H": holdout.dropped,
        "ranking": "full, over every item eligible at H; what a user had is masked",
        "models": ", ".join(f"{fit.recipe.name} {fit.fingerprint}" for fit in fits),
    }
    pictures = report_page.metric_pictures(rows, night.settings.k)
    page = report_page.render(f"The night of {night.run_date}", decision, facts, rows, night.settings.k, pictures)
    path = var_dir() / "reports" / f"night-{night.run_date}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    log.info("report: %s", path)
    _log_evaluation(night, cut, fits, rows, decision, path, pictures)


def _log_evaluation(
    night: NightContext,
    cut: date,
    fits: list[Fit],
    rows: list[dict[str, Any]],
    decision: Decision,
    page: Path,
    pictures: dict[str, bytes],
) -> None:
    fingerprint = "-".join(fit.fingerprint for fit in fits)
    if mlflow_client.find_run(fingerprint, "evaluation"):
        return
    tags = night.tags(cut) | {"decision": decision.decision, "publishes": decision.publishes}
    with mlflow_client.new_run(f"evaluation {night.run_date}", "evaluation", fingerprint, tags):
        mlflow_client.log_params({fit.recipe.name: fit.fingerprint for fit in fits} | {"reason": decision.reason})
        of_all = [row for row in rows if row["slice"] == "all"]
        mlflow_client.log_metrics({f"{row['recipe']}_{row['metric']}_at_{row['k']}": row["value"] for row in of_all})
        mlflow_client.log_file(page)
        _log_pictures(pictures)


def _log_pictures(pictures: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, picture in pictures.items():
            path = Path(folder) / f"{name.partition('@')[0]}.png"
            path.write_bytes(picture)
            mlflow_client.log_file(path, "plots")


def main() -> None:
    """The step's command line."""
    decision = evaluate(parse_night(__doc__ or ""))
    log.info("%s", decision.reason)


if __name__ == "__main__":
    run_step(main)
