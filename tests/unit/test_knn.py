"""Neighbours by cosine: both models by hand, whatever the block; EASE by identifiers alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys_jobs.data.histories import events_matrix
from recsys_jobs.models.closed_form import ease_text, item_knn, user_knn
from recsys_jobs.models.closed_form.recipe import ease
from recsys_jobs.models.closed_form.recipe import ease_text as ease_text_recipe
from recsys_jobs.models.closed_form.recipe import item_knn as item_recipe
from recsys_jobs.models.closed_form.recipe import user_knn as user_recipe
from recsys_jobs.models.layers import nearest_neighbours
from recsys_jobs.ranking.top_k import similar_items
from tests.unit.worlds import dataset, with_everything

# users 0 and 1 had items 0 and 1, user 2 had items 1 and 2, user 3 item 3 alone; item 4 is new
PAIRS = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 2), (3, 3)]
DATA = dataset(PAIRS, 4, 5)
EVERYONE = torch.arange(4)


def test_item_knn_is_the_cosine_with_shrinkage() -> None:
    model = item_knn.fit(DATA, replace(item_recipe(), shrinkage=1.0))
    expected = np.zeros((5, 5))
    expected[0, 1] = expected[1, 0] = 2 / ((2 * 3) ** 0.5 + 1)
    expected[1, 2] = expected[2, 1] = 1 / (3**0.5 + 1)
    assert model.weight_II.toarray() == pytest.approx(expected)
    assert model.score_block(torch.tensor([2]))[0].tolist() == pytest.approx((expected[1] + expected[2]).tolist())


def test_only_the_nearest_of_an_item_speak_for_it() -> None:
    model = item_knn.fit(DATA, replace(item_recipe(), neighbours=1))
    assert (model.weight_II.toarray() > 0).astype(int).tolist() == [
        [0, 1, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    (similar,) = similar_items(model, 2)
    assert similar.similar_BK[:3].tolist() == [[1, -1], [0, 2], [-1, -1]]


def test_user_knn_sums_what_the_neighbours_had() -> None:
    """User 0: user 1 is alike to 2 / (2 + 2), user 2 to 1 / (2 + 2); nobody is like user 3."""
    score = user_knn.fit(DATA, replace(user_recipe(), shrinkage=2.0)).score_block(EVERYONE)
    assert score[0].tolist() == pytest.approx([0.5, 0.75, 0.25, 0, 0])
    assert score[3].tolist() == [0, 0, 0, 0, 0]


def test_only_the_nearest_users_count_ties_by_user() -> None:
    score = user_knn.fit(DATA, replace(user_recipe(), shrinkage=2.0, neighbours=1)).score_block(EVERYONE)
    assert score[0].tolist() == pytest.approx([0.5, 0.5, 0, 0, 0])
    assert score[2].tolist() == pytest.approx([0.25, 0.25, 0, 0, 0])


def test_a_user_outside_the_core_is_scored_by_its_history_and_speaks_for_nobody() -> None:
    core = np.array([True, True, True, True, False, False, False])  # users 2 and 3 are outside
    score = user_knn.fit(replace(DATA, in_core_E=core), replace(user_recipe(), shrinkage=2.0)).score_block(EVERYONE)
    assert score[2].tolist() == pytest.approx([0.5, 0.5, 0, 0, 0])
    assert score[0].tolist() == pytest.approx([0.5, 0.5, 0, 0, 0])


def test_remembered_users_serve_a_later_dataset() -> None:
    """A new first item moves the columns, a new first user the rows: it had what users 0 and 1 had."""
    recipe = replace(user_recipe(), shrinkage=2.0)
    weights = user_knn.fit(DATA, recipe).weights()
    pairs = [(user + 1, item + 1) for user, item in PAIRS] + [(0, 1)]
    later = replace(dataset(pairs, 5, 6), users=["a", *DATA.users], items=["a", *DATA.items])
    score = user_knn.load(weights, later, recipe).score_block(torch.arange(5))
    alike = 1 / (2**0.5 + 2)
    assert score[0].tolist() == pytest.approx([0, 2 * alike, 2 * alike, 0, 0, 0])
    assert torch.equal(score[1:, 1:], user_knn.fit(DATA, recipe).score_block(EVERYONE))


@pytest.mark.parametrize("entries", [1, 60, 10_000])
def test_blocks_change_nothing(entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = with_everything()
    users = torch.arange(30)
    models = item_knn.fit(data, item_recipe()), user_knn.fit(data, user_recipe())
    monkeypatch.setattr(nearest_neighbours, "_ENTRIES", entries)
    again = item_knn.fit(data, item_recipe()), user_knn.fit(data, user_recipe())
    for one, other in zip(models, again, strict=True):
        assert torch.equal(one.score_block(users), other.score_block(users))


def test_ease_by_identifiers_alone_is_steck_s() -> None:
    """B = I - P diag(1 / diag(P)) with P = (X'X + lambda I)^-1; texts are there and change nothing."""
    data = with_everything()
    x = events_matrix(data).toarray().astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + 200 * np.eye(20))
    expected = np.eye(20) - inverse / np.diag(inverse)
    assert ease_text.fit(data, ease()).weight_II.toarray() == pytest.approx(expected, abs=1e-6)
    with_text = ease_text.fit(data, replace(ease(), text_weight=ease_text_recipe().text_weight))
    assert with_text.weight_II.toarray() != pytest.approx(expected, abs=1e-6)
