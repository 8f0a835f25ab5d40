"""Plots that go where people look: MLflow's run page and the report. Matplotlib without a display."""

from __future__ import annotations

import io

import matplotlib

matplotlib.use("Agg")

from collections.abc import Mapping, Sequence  # noqa: E402
from itertools import accumulate  # noqa: E402
from pathlib import Path  # noqa: E402

import matplotlib.pyplot as plt  # noqa: E402
import mlflow  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

COLOURS = ("#1f6f78", "#c8553d", "#e0a458", "#5b507a", "#7a8b8b")
_SIZE = (6.4, 3.6)  # inches


def log_training(history: Sequence[dict[str, float]]) -> None:
    """Log what a fit's history shows: the loss beside the validation metric, the attention weights."""
    if not history:
        return
    log_figure(training_curves(history), "plots/training.png")
    if any(key.startswith("attention_") for key in history[0]):
        log_figure(attention_curves(history), "plots/attention.png")


def training_curves(history: Sequence[dict[str, float]]) -> Figure:
    """Draw losses of training and validation (left axis) and validation metrics (right axis) by epoch."""
    figure, left = plt.subplots(figsize=_SIZE)
    epochs = [entry["epoch"] for entry in history]
    for name, style in (("loss", "-"), ("validation_loss", "--")):
        if name in history[0]:
            values = [entry[name] for entry in history]
            left.plot(epochs, values, style, color=COLOURS[0], label=name.replace("_", " "))
    left.set(xlabel="epoch", ylabel="loss", title="What the fit went through")
    names = [name for name in history[0] if name.startswith("validation_") and name != "validation_loss"]
    right = left.twinx()
    for colour, name in zip(COLOURS[1:], names, strict=False):
        values = [entry[name] for entry in history]
        right.plot(epochs, values, color=colour, marker="o", label=name.replace("_", " "))
    right.set_ylabel("validation")
    figure.legend(loc="upper center", ncols=3, frameon=False, bbox_to_anchor=(0.5, 0.02))
    return figure


def attention_curves(history: Sequence[dict[str, float]]) -> Figure:
    """Draw the mean attention weight of each modality by epoch, users beside items: what the model looks at."""
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.6), sharey=True)
    epochs = [entry["epoch"] for entry in history]
    for panel, side in zip(panels, ("user", "item"), strict=True):
        names = [name for name in history[0] if name.startswith(f"attention_{side}_")]
        for colour, name in zip(COLOURS, names, strict=False):
            modality = name.removeprefix(f"attention_{side}_")
            panel.plot(epochs, [entry[name] for entry in history], color=colour, label=modality)
        panel.set(title=f"{side}s", xlabel="epoch", ylim=(0, 1))
        panel.legend(frameon=False)
    panels[0].set_ylabel("mean attention weight")
    return figure


def metric_bars(rows: Sequence[dict[str, float | str]], metric: str) -> Figure:
    """Draw one metric of several models with 95 % intervals; `rows` have model, value, low, high."""
    figure, panel = plt.subplots(figsize=_SIZE)
    for place, row in enumerate(rows):
        value, low, high = (float(row[key]) for key in ("value", "low", "high"))
        below, above = max(value - low, 0), max(high - value, 0)
        panel.barh(place, value, color=COLOURS[place % len(COLOURS)], height=0.6)
        panel.errorbar(value, place, xerr=[[below], [above]], color="black", capsize=4)
    panel.set_yticks(range(len(rows)), [str(row["model"]) for row in rows])
    panel.invert_yaxis()
    panel.set(title=f"{metric}, with 95 % bootstrap intervals", xlim=(0, None))
    return figure


def share_curves(lines: Mapping[str, Sequence[tuple[float, ...]]], title: str, side: str) -> Figure:
    """Draw lines of (share gone, value, low, high) by name: what is left of a metric when contents go."""
    figure, panel = plt.subplots(figsize=_SIZE)
    for place, (name, points) in enumerate(lines.items()):
        shares, values, lows, highs = zip(*points, strict=True)
        percents = [100 * share for share in shares]
        colour = COLOURS[place % len(COLOURS)]
        panel.plot(percents, values, color=colour, marker="o", label=name)
        panel.fill_between(percents, lows, highs, color=colour, alpha=0.15)
    panel.set(title=title, xlabel="% removed", ylabel=f"{side}, with 95 % bootstrap intervals", ylim=(0, None))
    panel.legend(frameon=False)
    return figure


def trade_off_curves(lines: Mapping[str, Sequence[tuple[float, ...]]], title: str) -> Figure:
    """Draw lines of (weight of variety, diversity, NDCG) by name: what is paid in NDCG for more diverse slates."""
    figure, panel = plt.subplots(figsize=_SIZE)
    for place, (name, points) in enumerate(lines.items()):
        diversities = [diversity for _, diversity, _ in points]
        ndcgs = [ndcg for _, _, ndcg in points]
        panel.plot(diversities, ndcgs, marker="o", color=COLOURS[place % len(COLOURS)], label=name)
        for weight, diversity, ndcg in points:
            panel.annotate(f"{weight:g}", (diversity, ndcg), xytext=(3, 4), textcoords="offset points", fontsize=7)
    panel.set(title=title, xlabel="diversity of a slate, 1 - mean cosine", ylabel="NDCG", ylim=(0, None))
    panel.legend(frameon=False)
    return figure


def search_history(values: Sequence[float | None], title: str) -> Figure:
    """Draw each trial's NDCG on validation (None: its fit failed), and the best until then."""
    figure, panel = plt.subplots(figsize=_SIZE)
    numbers = [number for number, value in enumerate(values) if value is not None]
    scores = [value for value in values if value is not None]
    panel.scatter(numbers, scores, color=COLOURS[0], label="trial")
    panel.step(numbers, list(accumulate(scores, max)), where="post", color=COLOURS[1], label="best so far")
    panel.set(title=title, xlabel="trial", ylabel="NDCG on validation")
    panel.legend(frameon=False)
    return figure


def png(figure: Figure) -> bytes:
    """Draw the figure as a PNG and close it."""
    file = io.BytesIO()
    figure.savefig(file, dpi=120, bbox_inches="tight", format="png")
    plt.close(figure)
    return file.getvalue()


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG and close it."""
    path.write_bytes(png(figure))


def log_figure(figure: Figure, path: str) -> None:
    """Log the figure to the run that is open, and close it."""
    mlflow.log_figure(figure, path, save_kwargs={"dpi": 120, "bbox_inches": "tight"})
    plt.close(figure)
