"""What a model is worth when pictures or words are missing: the same exam with a share of them gone.

They are gone in training and when the question is asked, at random, and what 30 % loses 60 % loses too.
I items, R reviews.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.exam.prepare import Question
from recsys_jobs.exam.results import Row, aligned
from recsys_jobs.registry import plots

SHARES = (0.3, 0.6, 0.9)


class Removal(NamedTuple):
    """A modality, and the share of it that is gone."""

    modality: str
    share: float

    def __str__(self) -> str:
        return f"{self.modality} {self.share:.0%}"


def removals(modalities: Sequence[str]) -> list[Removal]:
    """Return every removal that a call asks for."""
    return [Removal(modality, share) for modality in modalities for share in SHARES]


def without(question: Question, removal: Removal, seed: int) -> Question:
    """Return the question with that much gone from all that models are fitted on and asked about."""
    less = question.sitting.changed(lambda dataset: without_contents(dataset, removal, seed))
    return replace(question, sitting=less, removed=str(removal))


def without_contents(dataset: Dataset, removal: Removal, seed: int) -> Dataset:
    """Return a dataset with a share of its images missing, or of its item texts, with their terms, and reviews."""
    random = np.random.default_rng([seed, 2])
    present_I = dataset.image_present_I if removal.modality == "image" else dataset.text_present_I
    left_I = present_I & ~_chosen(present_I, removal.share, random)
    if removal.modality == "image":
        image_IV = np.where(left_I[:, None], dataset.image_IV, 0).astype(np.float32)
        return replace(dataset, image_IV=image_IV, image_present_I=left_I)
    gone_R = _chosen(np.ones(len(dataset.review_RT), np.bool_), removal.share, random)
    kept_E = (dataset.review_E >= 0) & ~np.append(gone_R, True)[dataset.review_E]
    text_IT = np.where(left_I[:, None], dataset.text_IT, 0).astype(np.float32)
    kept_P = ~(present_I & ~left_I)[dataset.term_item_P]
    return replace(
        dataset,
        term_item_P=dataset.term_item_P[kept_P],
        term_P=dataset.term_P[kept_P],
        text_IT=text_IT,
        text_present_I=left_I,
        review_E=np.where(kept_E, dataset.review_E, -1),
    )


def _chosen(present_N: Bools, share: float, random: np.random.Generator) -> Bools:
    """Return the first part of a random order of what is present: more of it holds what less of it held."""
    order = random.permutation(np.flatnonzero(present_N))
    chosen_N = np.zeros_like(present_N)
    chosen_N[order[: round(share * len(order))]] = True
    return chosen_N


def curves(rows: Sequence[Row], k: int, metric: str = "ndcg") -> dict[str, list[tuple[float, Row]]]:
    """Return, by `model, modality`, a metric's rows by the share gone, from 0 up."""
    told = [row for row in rows if (row["slice"], row["metric"], row["k"]) == ("all", metric, k)]
    whole = {row["recipe"]: row for row in told if not row["removed"]}
    found: dict[str, list[tuple[float, Row]]] = {}
    for row in told:
        if row["removed"] and row["recipe"] in whole:
            modality, share = row["removed"].split(" ")
            points = found.setdefault(f"{row['recipe']}, {modality}", [(0.0, whole[row["recipe"]])])
            points.append((float(share.removesuffix("%")) / 100, row))
    return found


def table(found: dict[str, list[tuple[float, Row]]], title: str) -> str:
    """Return the curves as text: a line a model and modality, a column a share."""
    if not found:
        return ""
    shares = [f"{share:.0%}" for share, _ in next(iter(found.values()))]
    lines = [["model, modality gone", *shares]]
    for name, points in found.items():
        lines.append([name, *(f"{row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}]" for _, row in points)])
    return "\n".join([title, *aligned(lines)])


def write_plot(found: dict[str, list[tuple[float, Row]]], title: str, path: Path) -> Path:
    """Write the curves as a picture beside the JSON; return its path."""
    lines = {
        name: [(share, float(row["value"]), float(row["low"]), float(row["high"])) for share, row in points]
        for name, points in found.items()
    }
    picture = path.with_name(f"{path.stem}-removed.png")
    plots.save_png(plots.share_curves(lines, title, "NDCG"), str(picture))
    return picture
