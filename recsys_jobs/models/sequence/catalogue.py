"""A fitted model over sequences without its dataset: the items' vectors, computed once, and the body.

That is all it takes to rank for a history that somebody wrote down, whether the model knows the person or not.
Users, contents and the item tower stay behind. I items, N events of a history, K places.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Floats, Ints
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.base.vector_model import fill_unknown
from recsys_jobs.models.base.weights import PREFIX, restored
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.models.sequence.event_sequences import Sequences
from recsys_jobs.models.sequence.learner import CATALOGUE, NAMES, Family, encode
from recsys_jobs.models.sequence.recipe import SequenceRecipe
from recsys_jobs.ranking.stable_top_k import stable_top_k

RECIPE = "catalogue.recipe"
_BODY = f"{PREFIX}body."


class Catalogue(NamedTuple):
    """Ids and vectors of the items, and what makes one of a history; a row of zeros is an item never learned of."""

    recipe: SequenceRecipe
    family: Family
    items: list[str]
    item_ID: Tensor
    body: nn.Module


def pack(weights: dict[str, Tensor], recipe: Any) -> dict[str, Tensor]:
    """Return of a model's weights what its catalogue needs; nothing where it is no model over sequences."""
    if CATALOGUE not in weights:
        return {}
    logged = np.frombuffer(json.dumps(dataclasses.asdict(recipe)).encode(), np.uint8)
    tensors = {name: tensor for name, tensor in weights.items() if name.startswith(_BODY) or name in (CATALOGUE, NAMES)}
    return tensors | {RECIPE: torch.from_numpy(logged.copy())}


def unpack(tensors: dict[str, Tensor], family: Family, recipe: SequenceRecipe) -> Catalogue:
    """Return the catalogue that `pack` packed, of this recipe; JobError where the tensors are of another one."""
    state = {name.removeprefix(_BODY): tensor for name, tensor in tensors.items() if name.startswith(_BODY)}
    body = restored(lambda: family.body(recipe), state, recipe.name).eval()
    return Catalogue(recipe, family, id_rows.unpack(tensors[NAMES]), tensors[CATALOGUE], body)


def recipe_in(tensors: dict[str, Tensor]) -> SequenceRecipe:
    """Return the recipe of a packed catalogue; JobError where it is of another version of this program."""
    logged = json.loads(bytes(tensors[RECIPE].numpy()))
    known = get_recipe(logged["name"])
    if not isinstance(known, SequenceRecipe) or set(logged) != set(dataclasses.asdict(known)):
        raise JobError(f"the catalogue of {logged['name']} is of another version of this program: fit it again")
    return dataclasses.replace(known, **logged)


class History(NamedTuple):
    """What somebody had, oldest first: rows of the catalogue, seconds since 1970 or -1, stars or NaN."""

    item_N: Ints
    time_N: Ints
    rating_N: Floats


@torch.no_grad()
def best_for(catalogue: Catalogue, history: History, asked_at: int, k: int) -> tuple[Ints, Floats]:
    """Return the best k items [K] for a history and their scores; what it holds is left out.

    `asked_at` is in seconds since 1970, UTC, -1 where unknown. A history of nothing that the model learned
    of gets no places.
    """
    item_N = history.item_N
    known_N = catalogue.item_ID[torch.from_numpy(item_N)].any(1).numpy()
    if not known_N.any():
        return np.zeros(0, np.int64), np.zeros(0, np.float32)
    sequence = Sequences(
        item_E=item_N[known_N],
        time_E=history.time_N[known_N],
        rating_E=history.rating_N[known_N],
        location_E=np.full(known_N.sum(), -1),  # no history of ours says where it was made
        start_U=np.zeros(1, np.int64),
        length_U=np.array([known_N.sum()]),
        asked_at=asked_at,
    )
    context_EX = catalogue.family.context(sequence, catalogue.recipe)
    user_1D = encode(catalogue.body, catalogue.recipe, catalogue.item_ID, sequence, context_EX, np.zeros(1, np.int64))
    score_1I = user_1D @ fill_unknown(catalogue.item_ID).T
    score_1I[0, torch.from_numpy(item_N)] = -torch.inf
    best_K = stable_top_k(score_1I, min(k, len(catalogue.items) - len(np.unique(item_N))))[0]
    return best_K.numpy(), score_1I[0, best_K].numpy()
