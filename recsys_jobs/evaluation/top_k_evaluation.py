"""The evaluation of every model: one holdout, full ranking, items that a user had are masked.

Slates come from the same `top_k` that publishes; with `negatives` they are drawn from the targets and a
sample instead, which flatters (see sampled_negatives.py). Values are per user first, means and bootstrap intervals
after. U evaluated users, T targets (held-out pairs), I items, E events, B block of users,
C sampled candidates, K places, D width, M metrics.
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
from recsys_jobs.evaluation.sampled_negatives import Negatives, draw_candidates, sampled_slates
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
class TopKEvaluation:
    """One model's evaluation: the evaluated users, ascending, their values, and the rows for `model_metrics`."""

    user_U: Ints
    values: dict[tuple[str, int], Values]  # (metric, k) -> [U], slice `all`
    rows: list[MetricRow]
    finite: bool  # every score shown is a finite number
    targets: int
    dropped: int  # of the holdout

    def per_user(self, metric: str, k: int) -> Values:
        """Return a metric's value for each evaluated user, in the same order for every model."""
        return self.values[metric, k]


def evaluate_top_k(
    model: Model,
    dataset: Dataset,
    holdout: Holdout,
    *,
    k_values: list[int],
    seed: int = 0,
    blocked_items: Ints | None = None,
    hidden_UI: sparse.csr_matrix | None = None,
    negatives: Negatives | None = None,
    diversity: float = 0.0,
) -> TopKEvaluation:
    """Measure a model fitted on `dataset` (the cut H) once on the holdout.

    A slice of users has those users' targets; a slice of items has the users with a target among
    them, and those targets alone. `hidden_UI` [U, I], bool, are pairs that are masked besides what
    users had. Full rankings alone have rows on what slates are like, and on how new items rank among
    themselves. `diversity` above 0 chooses slates by maximal marginal relevance.
    """
    user_T, item_T = holdout_targets(dataset, holdout)
    user_U, row_T = np.unique(user_T, return_inverse=True)
    items, k = len(dataset.items), max(k_values)
    rank = partial(_full_ranking, model, dataset, k=k, hidden_UI=hidden_UI, diversity=diversity)
    if negatives is None:
        slate_UK, finite = rank(user_U, blocked_items)
    else:
        candidate_UC = draw_candidates(dataset, user_U, row_T, item_T, hidden_UI, negatives)
        blocks = sampled_slates(model, user_U, candidate_UC, items, k)
        slate_UK, finite = _collect_slates(blocks, len(user_U), min(k, items))
    values = {
        name: _metric_values(slate_UK, row_T[in_slice_T], item_T[in_slice_T], items, k_values)
        for name, in_slice_T in slices(dataset, user_T, item_T).items()
    }
    rows = [row for name, slice_values in values.items() for row in mean_rows(name, slice_values, seed)]
    if negatives is None:
        new_values = _among_new_items(rank, dataset, user_T, item_T, blocked_items, k_values)
        rows += mean_rows(AMONG_NEW_ITEMS, new_values, seed)
        rows += _slate_rows(slate_UK, dataset, k_values, seed)
    return TopKEvaluation(user_U, values["all"], rows, finite, len(user_T), holdout.dropped)


def holdout_targets(dataset: Dataset, holdout: Holdout) -> tuple[Ints, Ints]:
    """Return users and items of the holdout's pairs that the user does not own yet, each once, by user."""
    items = len(dataset.items)
    key_T = np.setdiff1d(holdout.user_T * items + holdout.item_T, dataset.pair_keys())
    return key_T // items, key_T % items


def _full_ranking(
    model: Model,
    dataset: Dataset,
    user_U: Ints,
    blocked_items: Ints | None,
    *,
    k: int,
    hidden_UI: sparse.csr_matrix | None,
    diversity: float,
) -> tuple[Ints, bool]:
    """Return the slates [U, K] of a full ranking, and whether all their scores are finite."""
    length = candidate_count(k) if diversity else k
    blocks = top_k(model, dataset, length, users=user_U, blocked_items=blocked_items, hidden_UI=hidden_UI)
    if diversity:
        blocks = rerank(blocks, content_vectors(dataset), diversity, k)
    return _collect_slates(blocks, len(user_U), min(k, len(dataset.items)))


def _collect_slates(blocks: Iterable[Slates], users: int, k: int) -> tuple[Ints, bool]:
    """Return all the slates [U, K], and whether all their scores are finite."""
    slate_UK = np.full((users, k), -1)
    finite, start = True, 0
    for slates in blocks:
        stop, width = start + len(slates.user_B), slates.item_BK.shape[1]
        slate_UK[start:stop, :width] = slates.item_BK
        finite &= bool((np.isfinite(slates.score_BK) | (slates.item_BK < 0)).all())
        start = stop
    return slate_UK, finite


def _metric_values(
    slate_UK: Ints, row_T: Ints, item_T: Ints, items: int, k_values: list[int]
) -> dict[tuple[str, int], Values]:
    """Return each ranking metric of the users who have a target here."""
    row_U, targets_U = np.unique(row_T, return_counts=True)
    hit_UK = metrics.hits(slate_UK, row_T, item_T, items)[row_U]
    return {(name, k): metric(hit_UK, targets_U, k) for name, metric in metrics.PER_USER.items() for k in k_values}


def _among_new_items(
    rank: Callable[[Ints, Ints], tuple[Ints, bool]],
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
    blocked = others if blocked_items is None else np.union1d(others, blocked_items)
    slate_UK, _ = rank(user_U, blocked)
    return _metric_values(slate_UK, row_T, item_T[new_T], len(dataset.items), k_values)


def mean_rows(name: str, values: dict[tuple[str, int], Values], seed: int) -> list[MetricRow]:
    """Return the means over users with their intervals; nothing for a slice without users."""
    values_UM = np.stack(list(values.values()), axis=1)
    if not len(values_UM):
        return []
    intervals = mean_intervals(values_UM, seed=seed)
    return [
        MetricRow(name, metric, k, mean.value, mean.low, mean.high, mean.users)
        for (metric, k), mean in zip(values, intervals, strict=True)
    ]


def _slate_rows(slate_UK: Ints, dataset: Dataset, k_values: list[int], seed: int) -> list[MetricRow]:
    """Return what the slates are like, hits aside: coverage, Gini, novelty, diversity by text."""
    if not len(slate_UK):
        return []
    items = len(dataset.items)
    rows = []
    owners_I = np.bincount(dataset.event_item_E, minlength=items)
    vector_ID = centred(dataset.text_IT, dataset.text_present_I)
    for k in k_values:
        shown_UK = slate_UK[:, :k]
        catalogue = {"coverage": metrics.coverage(shown_UK, items), "gini": metrics.gini(shown_UK, items)}
        for name, value in catalogue.items():
            rows.append(MetricRow("all", name, k, value, None, None, len(shown_UK)))
        novelty_U = metrics.novelty(shown_UK, owners_I, len(dataset.users))
        diversity_U = metrics.diversity(shown_UK, vector_ID)
        rows += mean_rows("all", {("novelty", k): _without_nan(novelty_U)}, seed)
        rows += mean_rows("all", {("diversity", k): _without_nan(diversity_U)}, seed)
    return rows


def _without_nan(values_U: NDArray[np.float64]) -> Values:
    return values_U[~np.isnan(values_U)]
