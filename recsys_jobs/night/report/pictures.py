"""The report's plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from recsys_jobs.night.report.drift import Drift
from recsys_jobs.night.report.numbers import Numbers
from recsys_jobs.registry.plots import COLOURS

_WIDE, _LOW = (8.4, 3.2), (8.4, 2.6)  # inches


def by_night(table: Numbers, names: Sequence[str], title: str, share: bool = False) -> Figure:
    """One line for each of the table's columns `names`, over its nights."""
    figure, panel = plt.subplots(figsize=_WIDE)
    nights = [str(night) for night in table.column("night")]
    panel.set_xticks(range(len(nights)), nights)
    for colour, name in zip(COLOURS, names, strict=False):
        panel.plot(
            range(len(nights)), [float(v or 0) for v in table.column(name)], color=colour, marker="o", label=name
        )
    panel.set(title=title, ylim=(0, 1.05) if share else (0, None))
    panel.legend(frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    return figure


def bars(names: Sequence[str], values: Sequence[float], title: str) -> Figure:
    """Horizontal bars, with their values."""
    figure, panel = plt.subplots(figsize=(_LOW[0], max(1.6, 0.35 * len(names) + 0.9)))
    drawn = panel.barh(range(len(names)), [float(v) for v in values], color=COLOURS[0], height=0.6)
    panel.bar_label(drawn, labels=[f"{v:,.0f}" for v in values], padding=4)
    panel.set_yticks(range(len(names)), list(names), parse_math=False)
    panel.invert_yaxis()
    panel.margins(x=0.12)
    panel.set_title(title)
    return figure


def metric_by_night(rows: Sequence[tuple[Any, ...]], metric: str) -> Figure:
    """One metric by night with its 95 % interval, a line for each recipe. Rows of numbers' `metrics`."""
    figure, panel = plt.subplots(figsize=_WIDE)
    nights = sorted({row[0] for row in rows})
    recipes = sorted({row[1] for row in rows})
    for place, recipe in enumerate(recipes):
        own = [row for row in rows if row[1] == recipe and row[4] is not None]
        shift = 0.08 * (place - (len(recipes) - 1) / 2)
        panel.errorbar(
            [nights.index(row[0]) + shift for row in own],
            [row[3] for row in own],
            yerr=[[max(row[3] - row[4], 0) for row in own], [max(row[5] - row[3], 0) for row in own]],
            color=COLOURS[place % len(COLOURS)],
            marker="o",
            capsize=3,
            label=recipe,
        )
    panel.set_xticks(range(len(nights)), [str(night) for night in nights])
    panel.set(title=f"{metric}, with 95 % bootstrap intervals", ylim=(0, None))
    panel.legend(frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    return figure


def drift_panels(drift: Drift) -> Figure:
    """How many people see how much of last night's slate again, and the scores of both nights."""
    figure, (left, right) = plt.subplots(1, 2, figsize=_WIDE)
    left.hist(drift.overlap_U, bins=20, range=(0, 1), color=COLOURS[0])
    left.set(title=f"places of {drift.before} shown again", xlabel="share", ylabel="people")
    for values, colour, name in (
        (drift.scores_before, COLOURS[2], str(drift.before)),
        (drift.scores, COLOURS[0], "now"),
    ):
        right.hist(values, bins=60, density=True, histtype="step", color=colour, label=name)
    right.set(title="published scores", xlabel="score")
    right.legend(frameon=False)
    return figure
