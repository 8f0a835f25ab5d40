"""A score splits exactly: by modality where it is fused and folded, by item of the history where it sums rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.base.item_to_item import ItemToItemModel
from recsys_jobs.models.closed_form.popularity import PopularityModel
from recsys_jobs.models.sage_fm.fitted import FittedSageFM
from recsys_jobs.models.sage_fm.network import SageFM
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe, sage_fm, sage_fm_seed
from recsys_jobs.ranking.model import SplitsByHistory, SplitsByModality
from tests.unit.worlds import dataset, with_everything

TINY = {"width": 8, "graph_width": 8, "fm_rank": 4}
RECIPES = [replace(sage_fm_seed(), **TINY), replace(sage_fm(), **TINY)]


def fitted(recipe: SageFMRecipe, data: Dataset) -> FittedSageFM:
    """Return a model whose every weight is random: nothing is zero that training would have moved."""
    torch.manual_seed(0)
    network = SageFM(recipe, len(data.items), data.text_IT.shape[1], data.image_IV.shape[1])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.5)
    return FittedSageFM(network, data, np.ones(len(data.items), np.bool_), 1, [], torch.device("cpu"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_modalities_of_every_pair_sum_to_its_folded_score(recipe: SageFMRecipe) -> None:
    model = fitted(recipe, with_everything())
    factors = model.factors()
    score_UI = factors.user_UF.double() @ factors.item_IF.double().T
    assert isinstance(model, SplitsByModality)
    for user in range(0, 30, 3):
        for item in range(20):
            terms = model.modality_terms(user, item)
            total = float(terms.across_MN.sum() + terms.alone_N.sum())
            assert total == pytest.approx(float(score_UI[user, item]), abs=1e-5, rel=1e-6)


def test_a_missing_modality_adds_nothing() -> None:
    data = with_everything()
    model = fitted(RECIPES[1], data)
    bare = int(np.flatnonzero(~data.image_present_I)[0])
    terms = model.modality_terms(0, bare)
    assert terms.item == ["text", "image", "graph"] and terms.user == ["text", "image", "graph", "history_text"]
    assert not terms.across_MN[:, 1].any() and terms.alone_N[1] == 0.0
    assert terms.across_MN[2, 2] != 0.0 and terms.alone_N[2] != 0.0


def test_what_each_item_of_a_history_adds_by_hand() -> None:
    """u had i0, i1 and i3; of i2 say W[0, 2] = .5, W[1, 2] = -.25, W[3, 2] = 0."""
    weight_II = np.zeros((4, 4), np.float32)
    weight_II[0, 2], weight_II[1, 2], weight_II[2, 0] = 0.5, -0.25, 9.0
    model = ItemToItemModel(dataset([(0, 0), (0, 1), (0, 3), (1, 2)], 2, 4), sparse.csr_matrix(weight_II))
    assert isinstance(model, SplitsByHistory)
    assert model.history_terms(0, 2) == {0: 0.5, 1: -0.25}
    assert model.history_terms(1, 2) == {}
    assert model.score_block(torch.tensor([0]))[0, 2] == sum(model.history_terms(0, 2).values())


def test_a_count_of_users_splits_neither_way() -> None:
    model = PopularityModel(torch.tensor([3.0, 1.0]))
    assert not isinstance(model, SplitsByModality) and not isinstance(model, SplitsByHistory)
