"""The cost of diverse slates: NDCG of slates by maximal marginal relevance, at several weights of diversity.

NDCG is compared with a slate's diversity, 1 - mean cosine over its pairs of texts.
See recsys_jobs/ranking/maximal_marginal_relevance.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recsys_jobs.exam.results import Row, aligned, interval_cell
from recsys_jobs.registry import plots

_METRICS = ("ndcg", "recall", "diversity", "coverage")


def curves(rows: Sequence[Row], k: int) -> dict[str, list[dict[str, Row]]]:
    """Return, by model, its rows at each weight from 0 up, by metric; nothing where there is no weight above 0."""
    points: dict[tuple[str, float], dict[str, Row]] = {}
    for row in rows:
        if (row["slice"], row["k"], row["removed"]) == ("all", k, "") and row["metric"] in _METRICS:
            points.setdefault((row["recipe"], row["variety"]), {})[row["metric"]] = row
    models = dict.fromkeys(recipe for recipe, weight in points if weight)
    return {model: [points[key] for key in sorted(points) if key[0] == model] for model in models}


def table(curves: dict[str, list[dict[str, Row]]], k: int) -> str:
    """Return the curves as text: a line a model and weight."""
    lines = [["model, weight of variety", *(f"{name}@{k}" for name in _METRICS)]]
    for model, points in curves.items():
        for point in points:
            cells = [interval_cell(point.get(name)) for name in _METRICS]
            lines.append([f"{model}, {point['ndcg']['variety']:g}", *cells])
    return "\n".join(["slates by maximal marginal relevance", *aligned(lines)])


def write_plot(curves: dict[str, list[dict[str, Row]]], title: str, path: Path) -> Path:
    """Write NDCG against diversity, a line a model, as a picture beside the JSON; return its path."""
    lines = {
        model: [
            (point["ndcg"]["variety"], point["diversity"]["value"], point["ndcg"]["value"])
            for point in points
            if "diversity" in point
        ]
        for model, points in curves.items()
    }
    picture = path.with_name(f"{path.stem}-variety.png")
    plots.save_png(plots.trade_off_curves(lines, title), picture)
    return picture
