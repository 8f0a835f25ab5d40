"""Item-to-item models in time: histories that fade, under a prior of what was popular of late.

score(u, i) = (sum_j h_uj sum_p w_p W^p_ji + smoothing) * (pop_i + seen)^exponent        see recency.py for h and pop

After Ding & Li 2005 (Time weight collaborative filtering), and popularity as a prior. Each W^p is scaled so that its
rows add up to one on average. Which half-lives, exponent and weights a shop lives by differs: Beauty by the week, wine
drinkers' taste does not fade. So they are learned, on the last windows before the cut, by mean NDCG over their people,
one after the other until nothing gets better; W^p as of the first of these windows serve all of them, and are fitted
anew on the whole for what is shown. Where time says nothing, or the dataset has no times, nothing fades and the prior
is flat: the model is its parts alone. Without parts it is popularity.

U users, I items, B block of users, P parts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.recency import Recency, decayed_history, popularity_prior
from recsys_jobs.models import families
from recsys_jobs.models.base import id_rows, item_to_item
from recsys_jobs.models.base.item_to_item import ItemToItemModel
from recsys_jobs.models.recent.recipe import RecentRecipe
from recsys_jobs.training.windows import Window, last_windows

UNKNOWN = -1.0  # the validation of a model that had no window
_LEARNED = "recent.learned"
_FIRST_HALF_LIFE_ROW = 3  # index of the half-life of popularity that the search begins with
_BLOCK_SCORES = 32_000_000  # of a window and part, held at once: 128 MB
_ROUNDS = 3  # through half-lives, exponent and weights; the second mostly changes little
log = logging.getLogger(__name__)


class Learned(NamedTuple):
    """What a shop lives by: half-lives and exponent, the parts' weights [P], and their NDCG on the last windows."""

    recency: Recency
    weights: tuple[float, ...]
    validation: float = UNKNOWN


class RecentModel(ItemToItemModel):
    """W with the prior in its columns, over fading histories; `bias_I` is what the prior adds for everyone."""

    def __init__(self, dataset: Dataset, weight_II: sparse.csr_matrix, bias_I: np.ndarray, learned: Learned) -> None:
        super().__init__(dataset, weight_II)
        self.history_UI = decayed_history(dataset, learned.recency.history)
        self.bias_I = bias_I.astype(np.float32)
        self.learned = learned
        self.validation = learned.validation

    def score_block(self, user_B: Tensor) -> Tensor:
        """Return the scores [B, I] of users by what is left of their histories, and by the prior."""
        return super().score_block(user_B) + torch.from_numpy(self.bias_I)

    def history_terms(self, user: int, item: int) -> dict[int, float]:
        """Return what each item that a user had adds to its score of `item`, as much of it as has not faded."""
        history_1I = self.history_UI[[user]]
        remaining = dict(zip(history_1I.indices.tolist(), history_1I.data.tolist(), strict=True))
        terms = super().history_terms(user, item)
        return {history_item: value * remaining[history_item] for history_item, value in terms.items()}

    def prior_term(self, item: int) -> float:
        """Return what an item's recent popularity adds to its score for every user."""
        return float(self.bias_I[item])

    def weights(self) -> dict[str, Tensor]:
        """Return W and the bias, what was learned, and the ids of the items."""
        learned = [self.validation, *self.learned.recency, *self.learned.weights]
        return super().weights() | {
            "bias": torch.from_numpy(self.bias_I),
            _LEARNED: torch.tensor(learned, dtype=torch.float64),
        }


def fit(dataset: Dataset, recipe: RecentRecipe) -> RecentModel:
    """Return the model of a dataset; what was learned stands in the log."""
    most_users = min(recipe.validation_users, max(1, _BLOCK_SCORES // len(dataset.items)))
    windows = last_windows(
        dataset, recipe.windows, recipe.window_users, recipe.window_share, most_users, recipe.validation_k
    )
    learned = _learned(windows, recipe) if windows else _unlearned(recipe)
    described, where = describe(learned, recipe), _describe_windows(windows)
    log.info("%s: %s; NDCG %.4f over %s", recipe.name, described, learned.validation, where)
    weight_II, bias_I = _in_time(_parts(dataset, recipe), dataset, learned, recipe)
    return RecentModel(dataset, weight_II, bias_I, learned)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: Any) -> RecentModel:
    """Return the model of `weights` over a dataset: its own, or a later one, at whose end histories are older."""
    stored_ids = id_rows.unpack(weights["items.names"])
    weights_model = item_to_item.load(weights, dataset, recipe)
    row_I = id_rows.rows_of(dataset.items, stored_ids)
    bias_I = np.where(row_I >= 0, weights["bias"].numpy()[row_I], 0.0)
    validation, history, popularity, exponent, *part_weights = weights[_LEARNED].tolist()
    learned = Learned(Recency(history, popularity, exponent), tuple(part_weights), validation)
    return RecentModel(dataset, weights_model.weight_II, bias_I, learned)


def describe(learned: Learned, recipe: RecentRecipe) -> str:
    """Return in words what was learned of a shop."""
    phrases = []
    history, popularity, exponent = learned.recency
    weights = learned.weights
    if len(weights) > 1:
        phrases.append(" + ".join(f"{w:g} {part.name}" for w, (_, part) in zip(weights, recipe.parts, strict=True)))
    if recipe.parts:
        phrases.append(f"histories fade by half in {history:g} days" if history else "histories do not fade")
    phrases.append(f"popularity by half in {popularity:g} days" if popularity else "popularity of all times")
    return ", ".join(phrases) + f" counts to the power of {exponent:g}"


def _unlearned(recipe: RecentRecipe) -> Learned:
    """Nothing fades and the prior is flat, but for popularity alone, which is never flat."""
    return Learned(Recency(exponent=0.0 if recipe.parts else 1.0), tuple(weight for weight, _ in recipe.parts))


def _learned(windows: list[Window], recipe: RecentRecipe) -> Learned:
    """The half-lives, exponent and weights of most NDCG, and that."""
    part_P = _parts(windows[-1].past, recipe)
    shares = np.array([len(window.validation.users) for window in windows], float)
    scored = [_scorer(window, part_P, recipe) for window in windows]

    @cache
    def ndcg(learned: Learned) -> float:
        return float(np.average([score(learned) for score in scored], weights=shares))

    best = _unlearned(recipe)
    first_half_life = recipe.popularity_half_lives[_FIRST_HALF_LIFE_ROW]
    best = best._replace(recency=best.recency._replace(popularity=first_half_life))
    for _ in range(_ROUNDS):
        before = best
        for variations in _choices(recipe):
            best = max([best, *variations(best)], key=ndcg)
        if best == before:
            break
    return best._replace(validation=ndcg(best))


def _choices(recipe: RecentRecipe) -> list[Callable[[Learned], list[Learned]]]:
    """What is tried in turn, each beside the best so far; popularity alone has neither histories nor weights."""

    def of_time(name: str, values: tuple[float, ...]) -> Callable[[Learned], list[Learned]]:
        return lambda best: [best._replace(recency=best.recency._replace(**{name: value})) for value in values]

    def of_part(position: int) -> Callable[[Learned], list[Learned]]:
        def variations(best: Learned) -> list[Learned]:
            before, after = best.weights[:position], best.weights[position + 1 :]
            return [best._replace(weights=(*before, weight, *after)) for weight in recipe.part_weights]

        return variations

    searches = [of_time("exponent", recipe.exponents), of_time("popularity", recipe.popularity_half_lives)]
    if recipe.parts:
        searches.append(of_time("history", recipe.history_half_lives))
    return searches + [of_part(position) for position in range(1, len(recipe.parts))]


def _scorer(window: Window, part_P: list[sparse.csr_matrix], recipe: RecentRecipe) -> Callable[[Learned], float]:
    users = window.validation.users.numpy()

    @lru_cache(maxsize=1)
    def by_history(half_life: float) -> list[np.ndarray]:
        history_BI = decayed_history(window.past, half_life)[users]
        return [(history_BI @ weight_II).toarray() for weight_II in part_P]

    def score(learned: Learned) -> float:
        prior_I = popularity_prior(window.past, learned.recency).astype(np.float32)
        score_BI = np.full((len(users), len(prior_I)), _smoothing(part_P, recipe), np.float32)
        for weight, part_BI in zip(learned.weights, by_history(learned.recency.history), strict=True):
            score_BI += np.float32(weight) * part_BI
        return window.validation.ndcg(torch.from_numpy(score_BI * prior_I))

    return score


def _parts(dataset: Dataset, recipe: RecentRecipe) -> list[sparse.csr_matrix]:
    """Each part's W, its rows one on average; empty where it has nothing to go by."""
    models = [families.fit(dataset, part, seed=0).model for _, part in recipe.parts]
    return [_scaled(model.weight_II) for model in models if isinstance(model, ItemToItemModel)]


def _scaled(weight_II: sparse.csr_matrix) -> sparse.csr_matrix:
    total = float(np.abs(weight_II.data).sum())
    return weight_II * np.float32(weight_II.shape[0] / total) if total else weight_II


def _in_time(
    part_P: list[sparse.csr_matrix], dataset: Dataset, learned: Learned, recipe: RecentRecipe
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """W with the prior in its columns [I, I], and what the prior adds for everyone [I]."""
    prior_I, items = popularity_prior(dataset, learned.recency), len(dataset.items)
    weight_II = sparse.csr_matrix((items, items), dtype=np.float32)
    for weight, part_II in zip(learned.weights, part_P, strict=True):
        if weight:
            weight_II = weight_II + np.float32(weight) * part_II
    timed_II = (weight_II @ sparse.diags_array(prior_I)).tocsr().astype(np.float32)
    timed_II.sort_indices()
    return timed_II, _smoothing(part_P, recipe) * prior_I


def _smoothing(part_P: list[sparse.csr_matrix], recipe: RecentRecipe) -> float:
    return recipe.smoothing * max((float(part_II.max()) for part_II in part_P if part_II.nnz), default=1.0)


def _describe_windows(windows: list[Window]) -> str:
    if not windows:
        return "no window, for want of events or times"
    return f"{sum(len(window.validation.users) for window in windows):,} people of the last {len(windows)} windows"
