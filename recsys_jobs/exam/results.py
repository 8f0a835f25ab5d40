"""What an exam leaves behind: rows as JSON, a table, plots."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recsys_jobs.evaluation.top_k_evaluation import MetricRow
from recsys_jobs.exam.fit_in_process import Trained
from recsys_jobs.exam.options import Call
from recsys_jobs.exam.prepare import Question
from recsys_jobs.registry import plots

Row = dict[str, Any]
_SHOWN = {
    "retrieval": ("ndcg", "recall", "hit_rate", "mrr", "coverage"),
    "ranking": ("ndcg", "auc", "mrr", "map", "mean_rank"),
}
_PLOTTED = ("ndcg", "recall", "auc")


def rows_of(
    call: Call, question: Question, trained: Trained, measured: Sequence[MetricRow], variety: float = 0.0
) -> list[Row]:
    """Return one model's rows: the columns of `model_metrics`, and what the figures are of and what they took."""
    same = {
        "run_date": str(call.run_date or datetime.now(UTC).date()),
        "model_name": trained.recipe.name,
        "recipe": trained.recipe.name,
        "model_fingerprint": trained.fingerprint,
        "protocol": question.protocol,
    }
    more = {
        "data": question.data,
        "part": part_of(call),
        "task": call.task,
        "ranking": ranking_of(call),
        "masked": question.sitting.masked,
        "seed": call.seed,
        "epochs": trained.epochs,
        "seconds": round(trained.seconds, 3),
        "peak_mb": round(trained.peak_mb, 1),
        "removed": question.removed,
        "variety": variety,
    }
    return [same | {name: _plain(value) for name, value in row._asdict().items()} | more for row in measured]


def part_of(call: Call) -> str:
    """The part of the data that the figures are of."""
    return "test" if call.final else "validation"


def ranking_of(call: Call) -> str:
    """What a target is ranked among: `full`, or so many sampled negatives."""
    return f"{call.negatives} sampled negatives, {call.sampled}" if call.sampled else "full"


def table(call: Call, question: Question, rows: Sequence[Row]) -> str:
    """Return the exam as text: what was asked, then a line a model, the best NDCG first."""
    k = rank_k(call)
    shown = {(row["recipe"], row["metric"]): row for row in rows if row["slice"] == "all" and row["k"] in (k, 0)}
    recipes = list(dict.fromkeys(row["recipe"] for row in rows))
    recipes.sort(key=lambda recipe: -(shown[recipe, "ndcg"]["value"] or 0.0))
    names = [name for name in (*_SHOWN[call.task], "rmse", "mae") if any((r, name) in shown for r in recipes)]
    lines = [["model", *(_title(name, shown, recipes) for name in names), "users", "seconds", "peak MB"]]
    for recipe in recipes:
        first = shown[recipe, "ndcg"]
        cells = [_cell(shown.get((recipe, name))) for name in names]
        lines.append([recipe, *cells, f"{first['users']:,}", f"{first['seconds']:.1f}", f"{first['peak_mb']:.0f}"])
    return "\n".join([*_heading(call, question, rows), *aligned(lines)])


def rank_k(call: Call) -> int:
    """The slate length that the table and the plots show: the longest, or 0 for the whole order."""
    return max(call.k_values) if call.task == "retrieval" else 0


def write_json(rows: Sequence[Row], path: Path) -> None:
    """Write the rows, all at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(list(rows), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def write_plots(call: Call, question: Question, rows: Sequence[Row], path: Path) -> list[Path]:
    """Write a bar chart with intervals for each main metric beside the JSON; return their paths."""
    written = []
    for metric in _PLOTTED:
        bars: list[Row] = [r | {"model": r["recipe"]} for r in rows if _is_bar(r, metric, rank_k(call))]
        if bars:
            cut = f"@{bars[0]['k']}" if bars[0]["k"] else ""
            title = f"{question.data}, {question.protocol}, {part_of(call)}: {metric}{cut}"
            written.append(path.with_name(f"{path.stem}-{metric}.png"))
            plots.save_png(
                plots.metric_bars(sorted(bars, key=lambda r: r["value"], reverse=True), title), str(written[-1])
            )
    return written


def write_curves(fits: Sequence[Trained], path: Path) -> list[Path]:
    """Write the curves of every fit that took epochs beside the JSON; return their paths."""
    written = []
    for fit in fits:
        if fit.history:
            written.append(path.with_name(f"{path.stem}-{fit.recipe.name}-training.png"))
            plots.save_png(plots.training_curves(fit.history), str(written[-1]))
    return written


def _is_bar(row: Row, metric: str, k: int) -> bool:
    return row["slice"] == "all" and row["metric"] == metric and row["k"] == k and row["low"] is not None


def _heading(call: Call, question: Question, rows: Sequence[Row]) -> list[str]:
    holdout = question.sitting.holdout
    lines = [
        f"{question.data}, protocol {question.protocol}, {part_of(call)} figures, seed {call.seed}",
        f"ranking: {ranking_of(call)}, {len(question.sitting.scored.items):,} items; masked: {question.sitting.masked}",
    ]
    if call.sampled:
        lines.append("sampled negatives flatter: these figures compare with no full ranking, nor with other samples")
    if holdout.dropped:
        lines.append(
            f"{holdout.dropped:,} pairs are not asked for: nothing is known of the user, or the item is not there"
        )
    if not call.final and any(row["epochs"] for row in rows):
        lines.append("models that train in epochs stopped early by these very pairs: theirs are a little too good")
    return [*lines, ""]


def _title(name: str, shown: dict[tuple[str, str], Row], recipes: list[str]) -> str:
    k = next(shown[recipe, name]["k"] for recipe in recipes if (recipe, name) in shown)
    return f"{name}@{k}" if k else name


def _cell(row: Row | None) -> str:
    if row is None or row["value"] is None:
        return ""
    digits = 1 if row["metric"] == "mean_rank" else 4
    interval = "" if row["low"] is None else f" [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"
    return f"{row['value']:.{digits}f}{interval}"


def aligned(lines: list[list[str]]) -> list[str]:
    """Return lines of cells as text, the first column to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    ]


def _plain(value: Any) -> Any:
    """A value as JSON has it: no numpy numbers, and null for what is no number."""
    if isinstance(value, str | None):
        return value
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and not math.isfinite(number) else number
