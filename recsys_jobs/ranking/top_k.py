"""From a fitted model to slates: owned items masked exactly, ties by item id, users in blocks.

Evaluation and publishing both call `top_k`. A model that folds is searched with FAISS, any other is
scored block by block; on the same scores the two give the same slates (recsys_jobs/ranking/folded_search.py says how).
U users, I items, A items that are not blocked, B block of users, K places of a slate, D width,
E events, F factors, N rows to divide into blocks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse

from recsys_jobs.data.dataset import Dataset, Floats, Ints
from recsys_jobs.data.histories import pair_matrix
from recsys_jobs.ranking.folded_search import FoldedSearch
from recsys_jobs.ranking.model import Factors, ItemToItem, Model
from recsys_jobs.ranking.stable_top_k import exhaustive_top_k

# (user_B, owned_BA, k <= A) -> items and scores [B, k]; fewer than k left: the last places have the score -inf
Searcher = Callable[[Ints, sparse.csr_matrix, int], tuple[Ints, Floats]]
_SCORES = 32_000_000  # held at once where the whole catalogue is scored: 128 MB of float32
_FOLDED_BLOCK = 32_768  # users: FAISS is a third slower on a few hundred at a time
_LOG_EVERY = 30.0  # seconds between two lines of progress
log = logging.getLogger(__name__)


class Slates(NamedTuple):
    """A block of users and their slates; the first `count_B` places are filled, the others hold -1 and -inf."""

    user_B: Ints
    item_BK: Ints
    score_BK: Floats
    count_B: Ints


class SimilarItems(NamedTuple):
    """A block of items and what is most like each; places beyond `count_B` hold -1 and -inf."""

    item_B: Ints
    similar_BK: Ints
    score_BK: Floats
    count_B: Ints


def top_k(
    model: Model,
    dataset: Dataset,
    k: int,
    *,
    users: Ints | None = None,
    blocked_items: Ints | None = None,
    hidden_UI: sparse.csr_matrix | None = None,
    block: int | None = None,
) -> Iterator[Slates]:
    """Yield the slates of `users` (indices; everyone unless given), in their order.

    Each has min(k, eligible - owned - blocked) items, best first, of equal scores the smaller item id.
    Pairs of `hidden_UI` [U, I], bool, are left out as owned ones are, without being history.
    `block` is users held at once; by default so many that memory stays within a few hundred MB. A score
    that is not finite is shown as it is, in the last places: publishing must check for it.
    """
    items = len(dataset.items)
    user_N = np.arange(len(dataset.users)) if users is None else np.asarray(users, dtype=np.int64)
    item_A = _allowed_items(items, blocked_items)
    owned_UA = masked_pairs(dataset, hidden_UI)[:, item_A]
    search = _searcher(model, item_A)
    size = block or (_FOLDED_BLOCK if isinstance(search, FoldedSearch) else max(1, _SCORES // items))
    for user_B in log_progress(_blocks(user_N, size), len(user_N)):
        owned_BA = owned_UA[user_B]
        item_BK, score_BK = search(user_B, owned_BA, min(k, len(item_A)))
        count_B = np.minimum(k, len(item_A) - np.diff(owned_BA.indptr))
        yield Slates(user_B, *_empty_beyond(item_BK, score_BK, count_B), count_B)


def similar_items(
    model: Model, k: int, *, blocked_items: Ints | None = None, block: int | None = None
) -> Iterator[SimilarItems]:
    """Yield the at most k items that are most like each item, itself left out, of equal scores the smaller id.

    By the cosine of the model's item vectors, or by what an item-to-item model says of the pair. Only
    items of a score above 0 count as alike. Nothing from a model that has neither.
    """
    searcher = _search_by_vectors(model, blocked_items) or _search_by_scores(model, blocked_items)
    if searcher is None:
        return
    search, items, item_A = searcher
    itself_IA = sparse.identity(items, dtype=bool, format="csr")[:, item_A]
    for item_B in _blocks(np.arange(items), block or max(1, _SCORES // items)):
        similar_BK, score_BK = search(item_B, itself_IA[item_B], min(k, len(item_A)))
        count_B = (score_BK > 0).sum(1)
        yield SimilarItems(item_B, *_empty_beyond(similar_BK, score_BK, count_B), count_B)


def popular_items(dataset: Dataset, k: int, *, blocked_items: Ints | None = None) -> tuple[Ints, Ints]:
    """Return the k items that most users had, of equal ones the smaller id, and how many users that is."""
    item_A = _allowed_items(len(dataset.items), blocked_items)
    users_A = np.bincount(dataset.event_item_E, minlength=len(dataset.items))[item_A]
    best_K = np.argsort(-users_A, kind="stable")[:k]
    return item_A[best_K], users_A[best_K]


def owned_matrix(dataset: Dataset) -> sparse.csr_matrix:
    """Return what each user had [U, I], bool: all the events, not the core's alone."""
    shape = len(dataset.users), len(dataset.items)
    return pair_matrix(dataset.event_user_E, dataset.event_item_E, shape, np.bool_)


def masked_pairs(dataset: Dataset, hidden_UI: sparse.csr_matrix | None) -> sparse.csr_matrix:
    """Return the pairs that no slate has [U, I], bool: what each user had, and what is hidden besides."""
    owned_UI = owned_matrix(dataset)
    if hidden_UI is None:
        return owned_UI
    either_UI = (owned_UI + hidden_UI).tocsr()
    either_UI.sort_indices()
    return either_UI


def owned_items(dataset: Dataset) -> tuple[Ints, Ints]:
    """Return what each user had as pointers [U + 1] and ascending item indices [E]."""
    owned_UI = owned_matrix(dataset)
    return owned_UI.indptr.astype(np.int64), owned_UI.indices.astype(np.int64)


def _allowed_items(items: int, blocked_items: Ints | None) -> Ints:
    allowed_I = np.ones(items, dtype=bool)
    if blocked_items is not None:
        allowed_I[np.asarray(blocked_items, dtype=np.int64)] = False
    return np.flatnonzero(allowed_I)


def _blocks(all_N: Ints, size: int) -> Iterator[Ints]:
    return (all_N[start : start + size] for start in range(0, len(all_N), size))


def log_progress(blocks: Iterable[Ints], users: int) -> Iterator[Ints]:
    """Yield the blocks, and log how many users are ranked where that takes long."""
    done, logged = 0, time.monotonic()
    for user_B in blocks:
        yield user_B
        done += len(user_B)
        if time.monotonic() - logged > _LOG_EVERY:
            log.info("ranked for %s of %s users", f"{done:,}", f"{users:,}")
            logged = time.monotonic()


def _searcher(model: Model, item_A: Ints) -> Searcher:
    """Return the FAISS search where the model folds, else the exhaustive one, also where its factors are broken."""
    factors = model.factors()
    if factors is None or not bool(factors.user_UF.isfinite().all() and factors.item_IF.isfinite().all()):
        return partial(exhaustive_top_k, model.score_block, item_A)
    return FoldedSearch(factors, item_A)


def _search_by_vectors(model: Model, blocked_items: Ints | None) -> tuple[Searcher, int, Ints] | None:
    vector_ID = model.item_vectors()
    if vector_ID is None:
        return None
    unit_ID = torch.nn.functional.normalize(vector_ID.float().cpu(), dim=1)
    item_A = _allowed_items(len(unit_ID), blocked_items)
    return FoldedSearch(Factors(unit_ID, unit_ID), item_A), len(unit_ID), item_A


def _search_by_scores(model: Model, blocked_items: Ints | None) -> tuple[Searcher, int, Ints] | None:
    if not isinstance(model, ItemToItem):
        return None
    item_A = _allowed_items(model.items, blocked_items)
    return partial(exhaustive_top_k, model.similar_block, item_A), model.items, item_A


def _empty_beyond(item_BK: Ints, score_BK: Floats, count_B: Ints) -> tuple[Ints, Floats]:
    """Return the places, emptied from `count_B` on."""
    empty_BK = np.arange(item_BK.shape[1]) >= count_B[:, None]
    return np.where(empty_BK, -1, item_BK), np.where(empty_BK, np.float32(-np.inf), score_BK)
