"""The report's plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from recsys_jobs.night.report.drift import Drift
from recsys_jobs.night.report.numbers import QueryResult
from recsys_jobs.registry.plots import COLOURS

_WIDTH, _HEIGHT = 8.4, 3.2  # inches


def by_night(table: QueryResult, names: Sequence[str], title: str, share: bool = False) -> Figure:
    """One line for each of the table's columns `names`, over its nights."""
    figure, panel = plt.subplots(figsize=(_WIDTH, _HEIGHT))
    nights = [str(night) for night in table.column("night")]
    panel.set_xticks(range(len(nights)), nights)
    for colour, name in zip(COLOURS, names, strict=False):
        values = [float(value or 0) for value in table.column(name)]
        panel.plot(range(len(nights)), values, color=colour, marker="o", label=name)
    panel.set(title=title, ylim=(0, 1.05) if share else (0, None))
    panel.legend(frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    return figure


def bars(names: Sequence[str], values: Sequence[float], title: str) -> Figure:
    """Horizontal bars, with their values."""
    height = max(1.6, 0.35 * len(names) + 0.9)
    figure, panel = plt.subplots(figsize=(_WIDTH, height))
    lengths = [float(value) for value in values]
    rectangles = panel.barh(range(len(names)), lengths, color=COLOURS[0], height=0.6)
    panel.bar_label(rectangles, labels=[f"{value:,.0f}" for value in values], padding=4)
    panel.set_yticks(range(len(names)), list(names), parse_math=False)
    panel.invert_yaxis()
    panel.margins(x=0.12)
    panel.set_title(title)
    return figure


def metric_by_night(rows: Sequence[tuple[Any, ...]], metric: str) -> Figure:
    """One metric by night with its 95 % interval, a line for each recipe. Rows of numbers' `metrics`."""
    figure, panel = plt.subplots(figsize=(_WIDTH, _HEIGHT))
    nights = sorted({row[0] for row in rows})
    recipes = sorted({row[1] for row in rows})
    for index, recipe in enumerate(recipes):
        own_rows = [row for row in rows if row[1] == recipe and row[4] is not None]
        shift = 0.08 * (index - (len(recipes) - 1) / 2)
        below, above = [], []
        for _, _, _, value, low, high, _ in own_rows:
            below.append(max(value - low, 0))
            above.append(max(high - value, 0))
        panel.errorbar(
            [nights.index(row[0]) + shift for row in own_rows],
            [row[3] for row in own_rows],
            yerr=[below, above],
            color=COLOURS[index % len(COLOURS)],
            marker="o",
            capsize=3,
            label=recipe,
        )
    panel.set_xticks(range(len(nights)), [str(night) for night in nights])
    panel.set(title=f"{metric}, with 95 % bootstrap intervals", ylim=(0, None))
    panel.legend(frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    return figure


def drift_panels(drift: Drift) -> Figure:
    """Two histograms: the share of last night's slate that users see again, and the scores of both nights."""
    figure, (overlap_panel, score_panel) = plt.subplots(1, 2, figsize=(_WIDTH, _HEIGHT))
    overlap_panel.hist(drift.overlap_U, bins=20, range=(0, 1), color=COLOURS[0])
    overlap_panel.set(title=f"places of {drift.before} shown again", xlabel="share", ylabel="people")
    outline: dict[str, Any] = {"bins": 60, "density": True, "histtype": "step"}
    score_panel.hist(drift.scores_before, color=COLOURS[2], label=str(drift.before), **outline)
    score_panel.hist(drift.scores, color=COLOURS[0], label="now", **outline)
    score_panel.set(title="published scores", xlabel="score")
    score_panel.legend(frameon=False)
    return figure
