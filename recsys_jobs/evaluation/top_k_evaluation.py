"""The exam that every model sits: one holdout, full ranking, what a user had is masked.

Slates come from the same `top_k` that publishes; with `negatives` they are drawn from the targets and a
sample instead, which flatters (see sampled.py). Values are per user first, means and bootstrap intervals
after. U examined users, T targets (held-out pairs), I items, K places, M metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation import metrics
from recsys_jobs.evaluation.bootstrap import Values, mean_intervals
from recsys_jobs.evaluation.sampled_negatives import Negatives, draw, sampled_slates
from recsys_jobs.evaluation.slices import AMONG_NEW_ITEMS, new_items, slices
from recsys_jobs.ranking.maximal_marginal_relevance import candidate_count, centred, content_vectors, rerank
from recsys_jobs.ranking.model import Model
from recsys_jobs.ranking.top_k import Slates, top_k


class MetricRow(NamedTuple):
    """One number of `model_metrics`; `low` and `high` are None where the number is no mean over users."""

    slice: str
    metric: str
    k: int
    value: float
    low: float | None
    high: float | None
    users: int


@dataclass(frozen=True)
class ExamResult:
    """One model's exam: the users examined, ascending, their values, and the rows for `model_metrics`."""

    user_U: Ints
    values: dict[tuple[str, int], Values]  # (metric, k) -> [U], slice `all`
    rows: list[MetricRow]
    finite: bool  # every score shown is a finite number
    targets: int
    dropped: int  # of the holdout

    def per_user(self, metric: str, k: int) -> Values:
        """Return a metric's value for each examined user; the order is that of every other model's exam."""
        return self.values[metric, k]


def examine(
    model: Model,
    dataset: Dataset,
    holdout: Holdout,
    *,
    k_values: list[int],
    seed: int = 0,
    blocked_items: Ints | None = None,
    hidden_UI: sparse.csr_matrix | None = None,
    negatives: Negatives | None = None,
    variety: float = 0.0,
) -> ExamResult:
    """Measure a model fitted on `dataset` (the cut H) once on the holdout.

    A slice of users has those users' targets; a slice of items has the users with a target among
    them, and those targets alone. `hidden_UI` [U, I], bool, are pairs that are masked besides what
    users had. Of full rankings alone it is told what slates are like, and how new items rank among
    themselves. `variety` above 0 chooses slates by maximal marginal relevance.
    """
    user_T, item_T = targets(dataset, holdout)
    user_U, row_T = np.unique(user_T, return_inverse=True)
    items = len(dataset.items)
    ranked = partial(_ranked, model, dataset, k=max(k_values), hidden_UI=hidden_UI, variety=variety)
    if negatives is None:
        slate_UK, finite = ranked(user_U, blocked_items)
    else:
        candidate_UC = draw(dataset, user_U, row_T, item_T, hidden_UI, negatives)
        blocks = sampled_slates(model, user_U, candidate_UC, items, max(k_values))
        slate_UK, finite = _collected(blocks, len(user_U), min(max(k_values), items))
    rows: list[MetricRow] = []
    values: dict[tuple[str, int], Values] = {}
    for name, in_slice_T in slices(dataset, user_T, item_T).items():
        found = _per_user(slate_UK, row_T[in_slice_T], item_T[in_slice_T], items, k_values)
        values = values or found
        rows += mean_rows(name, found, seed)
    if negatives is None:
        found = _among_new_items(ranked, dataset, user_T, item_T, blocked_items, k_values)
        rows += mean_rows(AMONG_NEW_ITEMS, found, seed)
        rows += _slate_rows(slate_UK, dataset, k_values, seed)
    return ExamResult(user_U, values, rows, finite, len(user_T), holdout.dropped)


def targets(dataset: Dataset, holdout: Holdout) -> tuple[Ints, Ints]:
    """Return users and items of the holdout's pairs that the user does not own yet, each once, by user."""
    items = len(dataset.items)
    key_T = np.setdiff1d(holdout.user_T * items + holdout.item_T, dataset.pair_keys())
    return key_T // items, key_T % items


def _ranked(
    model: Model,
    dataset: Dataset,
    user_U: Ints,
    blocked_items: Ints | None,
    *,
    k: int,
    hidden_UI: sparse.csr_matrix | None,
    variety: float,
) -> tuple[Ints, bool]:
    """Return the slates [U, K] of a full ranking, and whether all their scores are finite."""
    length = candidate_count(k) if variety else k
    blocks = top_k(model, dataset, length, users=user_U, blocked_items=blocked_items, hidden_UI=hidden_UI)
    if variety:
        blocks = rerank(blocks, content_vectors(dataset), variety, k)
    return _collected(blocks, len(user_U), min(k, len(dataset.items)))


def _collected(blocks: Iterable[Slates], users: int, k: int) -> tuple[Ints, bool]:
    """Return all the slates [U, K], and whether all their scores are finite."""
    slate_UK = np.full((users, k), -1)
    finite, start = True, 0
    for slates in blocks:
        stop, width = start + len(slates.user_B), slates.item_BK.shape[1]
        slate_UK[start:stop, :width] = slates.item_BK
        finite &= bool((np.isfinite(slates.score_BK) | (slates.item_BK < 0)).all())
        start = stop
    return slate_UK, finite


def _per_user(
    slate_UK: Ints, row_T: Ints, item_T: Ints, items: int, k_values: list[int]
) -> dict[tuple[str, int], Values]:
    """Return each ranking metric of the users who have a target here."""
    asked_U, targets_U = np.unique(row_T, return_counts=True)
    hit_UK = metrics.hits(slate_UK, row_T, item_T, items)[asked_U]
    return {(name, k): metric(hit_UK, targets_U, k) for name, metric in metrics.PER_USER.items() for k in k_values}


def _among_new_items(
    ranked: Callable[[Ints, Ints], tuple[Ints, bool]],
    dataset: Dataset,
    user_T: Ints,
    item_T: Ints,
    blocked_items: Ints | None,
    k_values: list[int],
) -> dict[tuple[str, int], Values]:
    """Return each ranking metric of the users with a new target, where only new items are ranked."""
    new_I = new_items(dataset)
    new_T = new_I[item_T]
    user_U, row_T = np.unique(user_T[new_T], return_inverse=True)
    others = np.flatnonzero(~new_I)
    slate_UK, _ = ranked(user_U, others if blocked_items is None else np.union1d(others, blocked_items))
    return _per_user(slate_UK, row_T, item_T[new_T], len(dataset.items), k_values)


def mean_rows(name: str, values: dict[tuple[str, int], Values], seed: int) -> list[MetricRow]:
    """Return the means over users with their intervals; nothing for a slice without users."""
    values_UM = np.stack(list(values.values()), axis=1)
    if not len(values_UM):
        return []
    found_M = mean_intervals(values_UM, seed=seed)
    return [
        MetricRow(name, metric, k, found.value, found.low, found.high, found.users)
        for (metric, k), found in zip(values, found_M, strict=True)
    ]


def _slate_rows(slate_UK: Ints, dataset: Dataset, k_values: list[int], seed: int) -> list[MetricRow]:
    """Return what the slates are like, whatever was hit: coverage, Gini, novelty, diversity by text."""
    if not len(slate_UK):
        return []
    items, rows = len(dataset.items), []
    owners_I = np.bincount(dataset.event_item_E, minlength=items)
    vector_ID = centred(dataset.text_IT, dataset.text_present_I)
    for k in k_values:
        shown_UK = slate_UK[:, :k]
        for name, value in (("coverage", metrics.coverage(shown_UK, items)), ("gini", metrics.gini(shown_UK, items))):
            rows.append(MetricRow("all", name, k, value, None, None, len(shown_UK)))
        novelty_U = metrics.novelty(shown_UK, owners_I, len(dataset.users))
        rows += mean_rows("all", {("novelty", k): _known(novelty_U)}, seed)
        rows += mean_rows("all", {("diversity", k): _known(metrics.diversity(shown_UK, vector_ID))}, seed)
    return rows


def _known(values_U: NDArray[np.float64]) -> Values:
    return values_U[~np.isnan(values_U)]
