"""The results of an exam: rows as JSON, a table, plots."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recsys_jobs.evaluation.top_k_evaluation import MetricRow
from recsys_jobs.exam.fit_in_process import FitSummary
from recsys_jobs.exam.options import ExamOptions
from recsys_jobs.exam.prepare import PreparedExam
from recsys_jobs.registry import plots
from recsys_jobs.training.epochs import total_epochs

Row = dict[str, Any]
_SHOWN = {
    "retrieval": ("ndcg", "recall", "hit_rate", "mrr", "coverage"),
    "ranking": ("ndcg", "auc", "mrr", "map", "mean_rank"),
}
_PLOTTED = ("ndcg", "recall", "auc")


def result_rows(
    options: ExamOptions,
    prepared: PreparedExam,
    fit: FitSummary,
    metrics: Sequence[MetricRow],
    variety: float = 0.0,
) -> list[Row]:
    """Return one model's rows: the columns of `model_metrics`, the exam's settings, and the cost of the fit."""
    model = {
        "run_date": str(options.run_date or datetime.now(UTC).date()),
        "model_name": fit.recipe.name,
        "recipe": fit.recipe.name,
        "model_fingerprint": fit.fingerprint,
        "protocol": prepared.protocol,
    }
    exam = {
        "data": prepared.data,
        "part": part_name(options),
        "task": options.task,
        "ranking": ranking_name(options),
        "masked": prepared.datasets.masked,
        "seed": options.seed,
        "epochs": total_epochs(fit.epochs),
        "seconds": round(fit.seconds, 3),
        "peak_mb": round(fit.peak_mb, 1),
        "removed": prepared.removed,
        "variety": variety,
    }
    return [model | {name: _plain(value) for name, value in row._asdict().items()} | exam for row in metrics]


def part_name(options: ExamOptions) -> str:
    """Return the part of the data that the figures are of."""
    return "test" if options.final else "validation"


def ranking_name(options: ExamOptions) -> str:
    """Return what a target is ranked among: `full`, or so many sampled negatives."""
    return f"{options.negatives} sampled negatives, {options.sampled}" if options.sampled else "full"


def table(options: ExamOptions, prepared: PreparedExam, rows: Sequence[Row]) -> str:
    """Return the exam as text: its settings, then a line a model, the best NDCG first."""
    k = rank_k(options)
    shown = {(row["recipe"], row["metric"]): row for row in rows if row["slice"] == "all" and row["k"] in (k, 0)}
    recipes = list(dict.fromkeys(row["recipe"] for row in rows))
    recipes.sort(key=lambda recipe: -(shown[recipe, "ndcg"]["value"] or 0.0))
    metrics = (*_SHOWN[options.task], "rmse", "mae")
    names = [name for name in metrics if any((recipe, name) in shown for recipe in recipes)]
    lines = [["model", *(_title(name, shown, recipes) for name in names), "users", "seconds", "peak MB"]]
    for recipe in recipes:
        row = shown[recipe, "ndcg"]
        cells = [interval_cell(shown.get((recipe, name))) for name in names]
        cost = [f"{row['users']:,}", f"{row['seconds']:.1f}", f"{row['peak_mb']:.0f}"]
        lines.append([recipe, *cells, *cost])
    return "\n".join([*_heading(options, prepared, rows), *aligned(lines)])


def rank_k(options: ExamOptions) -> int:
    """Return the slate length that the table and the plots show: the longest, or 0 for the whole order."""
    return max(options.k_values) if options.task == "retrieval" else 0


def write_json(rows: Sequence[Row], path: Path) -> None:
    """Write the rows, all at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(list(rows), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def write_plots(options: ExamOptions, prepared: PreparedExam, rows: Sequence[Row], path: Path) -> list[Path]:
    """Write a bar chart with intervals for each main metric beside the JSON; return their paths."""
    written = []
    for metric in _PLOTTED:
        bars: list[Row] = [row | {"model": row["recipe"]} for row in rows if _is_bar(row, metric, rank_k(options))]
        if bars:
            bars.sort(key=lambda row: row["value"], reverse=True)
            at_k = f"@{bars[0]['k']}" if bars[0]["k"] else ""
            title = f"{prepared.data}, {prepared.protocol}, {part_name(options)}: {metric}{at_k}"
            picture = path.with_name(f"{path.stem}-{metric}.png")
            plots.save_png(plots.metric_bars(bars, title), picture)
            written.append(picture)
    return written


def write_curves(fits: Sequence[FitSummary], path: Path) -> list[Path]:
    """Write the curves of every fit that took epochs beside the JSON; return their paths."""
    written = []
    for fit in fits:
        if fit.history:
            picture = path.with_name(f"{path.stem}-{fit.recipe.name}-training.png")
            plots.save_png(plots.training_curves(fit.history), picture)
            written.append(picture)
    return written


def _is_bar(row: Row, metric: str, k: int) -> bool:
    return row["slice"] == "all" and row["metric"] == metric and row["k"] == k and row["low"] is not None


def _heading(options: ExamOptions, prepared: PreparedExam, rows: Sequence[Row]) -> list[str]:
    datasets = prepared.datasets
    holdout = datasets.holdout
    lines = [
        f"{prepared.data}, protocol {prepared.protocol}, {part_name(options)} figures, seed {options.seed}",
        f"ranking: {ranking_name(options)}, {len(datasets.score.items):,} items; masked: {datasets.masked}",
    ]
    if options.sampled:
        lines.append("sampled negatives flatter: these figures compare with no full ranking, nor with other samples")
    if holdout.dropped:
        lines.append(
            f"{holdout.dropped:,} pairs are not asked for: nothing is known of the user, or the item is not there"
        )
    if not options.final and any(row["epochs"] for row in rows):
        lines.append("models that train in epochs stopped early by these very pairs: theirs are a little too good")
    return [*lines, ""]


def _title(name: str, shown: dict[tuple[str, str], Row], recipes: list[str]) -> str:
    k = next(shown[recipe, name]["k"] for recipe in recipes if (recipe, name) in shown)
    return f"{name}@{k}" if k else name


def interval_cell(row: Row | None) -> str:
    """Return a metric's value and interval as text; empty where there is no value."""
    if row is None or row["value"] is None:
        return ""
    digits = 1 if row["metric"] == "mean_rank" else 4
    interval = "" if row["low"] is None else f" [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"
    return f"{row['value']:.{digits}f}{interval}"


def aligned(lines: list[list[str]]) -> list[str]:
    """Return lines of cells as text, the first column to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = []
    for first, *others in lines:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        padded.append("  ".join([first.ljust(widths[0]), *cells]))
    return padded


def _plain(value: Any) -> Any:
    """Return a value for JSON: no numpy numbers, and null for NaN and infinity."""
    if isinstance(value, str | None):
        return value
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and not math.isfinite(number) else number
