"""What variety costs: a model's slates by maximal marginal relevance, at several weights of variety.

NDCG is held against how diverse a slate is, 1 - mean cosine over its pairs of texts.
See recsys_jobs/ranking/maximal_marginal_relevance.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recsys_jobs.exam.results import Row, aligned
from recsys_jobs.registry import plots

_TOLD = ("ndcg", "recall", "diversity", "coverage")


def curves(rows: Sequence[Row], k: int) -> dict[str, list[dict[str, Row]]]:
    """Return, by model, its rows at each weight from 0 up, by metric; nothing where no weight but 0 was asked for."""
    told: dict[tuple[str, float], dict[str, Row]] = {}
    for row in rows:
        if (row["slice"], row["k"], row["removed"]) == ("all", k, "") and row["metric"] in _TOLD:
            told.setdefault((row["recipe"], row["variety"]), {})[row["metric"]] = row
    models = dict.fromkeys(recipe for recipe, weight in told if weight)
    return {model: [told[key] for key in sorted(key for key in told if key[0] == model)] for model in models}


def table(found: dict[str, list[dict[str, Row]]], k: int) -> str:
    """Return the curves as text: a line a model and weight."""
    lines = [["model, weight of variety", *(f"{name}@{k}" for name in _TOLD)]]
    for model, points in found.items():
        for point in points:
            cells = [_cell(point.get(name)) for name in _TOLD]
            lines.append([f"{model}, {point['ndcg']['variety']:g}", *cells])
    return "\n".join(["slates by maximal marginal relevance", *aligned(lines)])


def write_plot(found: dict[str, list[dict[str, Row]]], title: str, path: Path) -> Path:
    """Write NDCG against diversity, a line a model, as a picture beside the JSON; return its path."""
    lines = {
        model: [
            (point["ndcg"]["variety"], point["diversity"]["value"], point["ndcg"]["value"])
            for point in points
            if "diversity" in point
        ]
        for model, points in found.items()
    }
    picture = path.with_name(f"{path.stem}-variety.png")
    plots.save_png(plots.trade_off_curves(lines, title), str(picture))
    return picture


def _cell(row: Row | None) -> str:
    if row is None or row["value"] is None:
        return ""
    return f"{row['value']:.4f}" + ("" if row["low"] is None else f" [{row['low']:.4f}, {row['high']:.4f}]")
