"""A model without some of its images or texts: the same exam with a share of them removed.

They are removed at random, in training and in scoring; a larger share includes the smaller one.
I items, E events, R reviews, T text width, V image width, P pairs of an item and a term,
N contents of any kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.exam.prepare import PreparedExam
from recsys_jobs.exam.results import Row, aligned, interval_cell
from recsys_jobs.registry import plots

SHARES = (0.3, 0.6, 0.9)


class Removal(NamedTuple):
    """A modality, and the share of it to remove."""

    modality: str
    share: float

    def __str__(self) -> str:
        return f"{self.modality} {self.share:.0%}"


def removals(modalities: Sequence[str]) -> list[Removal]:
    """Return every removal of these modalities."""
    return [Removal(modality, share) for modality in modalities for share in SHARES]


def prepare_without(prepared: PreparedExam, removal: Removal, seed: int) -> PreparedExam:
    """Return the exam with the share removed from every dataset that models are fitted on or scored over."""
    reduced = prepared.datasets.map_datasets(lambda dataset: without_contents(dataset, removal, seed))
    return replace(prepared, datasets=reduced, removed=str(removal))


def without_contents(dataset: Dataset, removal: Removal, seed: int) -> Dataset:
    """Return a dataset with a share of its images missing, or of its item texts, with their terms, and reviews."""
    random = np.random.default_rng([seed, 2])
    present_I = dataset.image_present_I if removal.modality == "image" else dataset.text_present_I
    removed_I = _choose_share(present_I, removal.share, random)
    left_I = present_I & ~removed_I
    if removal.modality == "image":
        image_IV = np.where(left_I[:, None], dataset.image_IV, 0).astype(np.float32)
        return replace(dataset, image_IV=image_IV, image_present_I=left_I)
    all_R = np.ones(len(dataset.review_RT), np.bool_)
    removed_R = _choose_share(all_R, removal.share, random)
    has_review_E = ~np.append(removed_R, True)[dataset.review_E]  # -1 is the row that was appended
    text_IT = np.where(left_I[:, None], dataset.text_IT, 0).astype(np.float32)
    left_P = ~removed_I[dataset.term_item_P]
    return replace(
        dataset,
        term_item_P=dataset.term_item_P[left_P],
        term_P=dataset.term_P[left_P],
        text_IT=text_IT,
        text_present_I=left_I,
        review_E=np.where(has_review_E, dataset.review_E, -1),
    )


def _choose_share(present_N: Bools, share: float, random: np.random.Generator) -> Bools:
    """Return a share of the present contents, the first of a random order, so that a larger share includes it."""
    order = random.permutation(np.flatnonzero(present_N))
    chosen_N = np.zeros_like(present_N)
    chosen_N[order[: round(share * len(order))]] = True
    return chosen_N


def curves(rows: Sequence[Row], k: int, metric: str = "ndcg") -> dict[str, list[tuple[float, Row]]]:
    """Return, by `model, modality`, a metric's rows by the share gone, from 0 up."""
    metric_rows = [row for row in rows if (row["slice"], row["metric"], row["k"]) == ("all", metric, k)]
    whole = {row["recipe"]: row for row in metric_rows if not row["removed"]}
    points: dict[str, list[tuple[float, Row]]] = {}
    for row in metric_rows:
        recipe = row["recipe"]
        if row["removed"] and recipe in whole:
            modality, share = row["removed"].split(" ")
            curve = points.setdefault(f"{recipe}, {modality}", [(0.0, whole[recipe])])
            curve.append((float(share.removesuffix("%")) / 100, row))
    return points


def table(curves: dict[str, list[tuple[float, Row]]], title: str) -> str:
    """Return the curves as text: a line a model and modality, a column a share."""
    if not curves:
        return ""
    shares = [f"{share:.0%}" for share, _ in next(iter(curves.values()))]
    lines = [["model, modality gone", *shares]]
    for name, points in curves.items():
        lines.append([name, *(interval_cell(row) for _, row in points)])
    return "\n".join([title, *aligned(lines)])


def write_plot(curves: dict[str, list[tuple[float, Row]]], title: str, path: Path) -> Path:
    """Write the curves as a picture beside the JSON; return its path."""
    lines = {
        name: [(share, float(row["value"]), float(row["low"]), float(row["high"])) for share, row in points]
        for name, points in curves.items()
    }
    picture = path.with_name(f"{path.stem}-removed.png")
    plots.save_png(plots.share_curves(lines, title, "NDCG"), picture)
    return picture
