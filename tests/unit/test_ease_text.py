"""The floors: EASE with text against its equation, text that reaches new items, and the sparse one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.base.item_to_item import ItemToItemModel
from recsys_jobs.models.closed_form import ease_text, text_knn
from recsys_jobs.models.closed_form.recipe import ease_text as ease_recipe
from recsys_jobs.models.closed_form.recipe import text_knn as knn_recipe
from recsys_jobs.models.layers.item_text import unit_item_texts
from recsys_jobs.models.layers.matrix_inverse import inverse_from_factor
from recsys_jobs.ranking.top_k import similar_items
from tests.unit.worlds import dataset, two_tastes, with_everything

# two users took items 0 and 1, one took 2 alone; item 3 is new and reads like item 2
PAIRS = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)]
TEXTS = np.array([[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0]], np.float32)


def told(pairs: list[tuple[int, int]] = PAIRS) -> Dataset:
    return dataset(pairs, 3, 4, text_IT=TEXTS, text_present_I=np.ones(4, np.bool_))


def scores(model: ItemToItemModel, user: int) -> list[float]:
    return model.score_block(torch.tensor([user]))[0].tolist()


def test_plain_ease_of_two_items_by_hand() -> None:
    """One user with both: G = [[s, s], [s, s]] with s = 2^-1/2, ridge 1; then B_01 = B_10 = s / (1 + s)."""
    recipe = replace(ease_recipe(), ridge=1.0, text_weight=0.0)
    model = ease_text.fit(dataset([(0, 0), (0, 1)], 1, 2), recipe)
    expected = 2**-0.5 / (1 + 2**-0.5)
    assert model.weight_II.toarray() == pytest.approx(np.array([[0, expected], [expected, 0]]))


def slow_weights(data: Dataset, train: list[bool], ridge: float) -> np.ndarray:
    """The docstring's equation, written out in float64."""
    users, items = len(data.users), len(data.items)
    x = np.zeros((users, items))
    for user, item, used in zip(data.event_user_E, data.event_item_E, train, strict=True):
        x[user, item] = float(used)
    degree_u, degree_i = np.maximum(x.sum(1), 1), np.maximum(x.sum(0), 1)
    first = x.T @ np.diag(degree_u**-0.5) @ x
    m = unit_item_texts(data).double().numpy()
    second = np.diag(degree_i**0.3) @ np.maximum(m @ m.T, 0) ** 3 @ np.diag(degree_i**0.3)
    np.fill_diagonal(second, 0)
    second *= (first.sum() - np.trace(first)) / second.sum()
    inverse = np.linalg.inv(first + second + ridge * np.eye(items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def test_ease_with_text_is_its_equation() -> None:
    data = with_everything()
    model = ease_text.fit(data, replace(ease_recipe(), ridge=120.0))
    everything = [True] * len(data.event_item_E)
    assert model.weight_II.toarray() == pytest.approx(slow_weights(data, everything, 120.0), abs=1e-6)


def test_fitting_takes_the_chosen_events_and_scoring_the_whole_history() -> None:
    data = with_everything()
    train = data.train_events()
    model = ease_text.fit(data, replace(ease_recipe(), ridge=120.0), train_E=train)
    expected = slow_weights(data, train.tolist(), 120.0)
    assert model.weight_II.toarray() == pytest.approx(expected, abs=1e-5)
    mine = data.event_item_E[data.event_user_E == 3]
    assert scores(model, 3) == pytest.approx(expected[mine].sum(0), abs=1e-5)


@pytest.mark.parametrize(
    "fitted",
    [lambda data: ease_text.fit(data, ease_recipe()), lambda data: text_knn.fit(data, knn_recipe())],
    ids=["ease_text", "text_knn"],
)
def test_text_brings_a_new_item_to_those_who_had_one_like_it(fitted: object) -> None:
    model = fitted(told())  # type: ignore[operator]
    assert np.argmax(scores(model, 2)) == 3
    assert scores(model, 0)[3] <= 0 < scores(model, 0)[1]
    (similar,) = similar_items(model, 2)
    assert similar.similar_BK[:, 0].tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize(
    "fitted",
    [lambda data: ease_text.fit(data, ease_recipe()), lambda data: text_knn.fit(data, knn_recipe())],
    ids=["ease_text", "text_knn"],
)
def test_without_any_text_tastes_are_still_told_apart(fitted: object) -> None:
    data = two_tastes()
    score_UI = fitted(data).score_block(torch.arange(2))  # type: ignore[operator]
    assert score_UI[0, 0::2].sum() > score_UI[0, 1::2].sum()
    assert score_UI[1, 1::2].sum() > score_UI[1, 0::2].sum()


def test_a_catalogue_that_nobody_has_taken_two_things_from_scores_nothing() -> None:
    model = ease_text.fit(dataset([(0, 0)], 1, 3), ease_recipe())
    assert scores(model, 0) == [0, 0, 0]


def test_only_the_strongest_entries_of_a_column_stay_ties_by_row() -> None:
    weights = torch.tensor([[0.0, 3.0, 1.0], [-2.0, 0.0, 1.0], [1.0, 2.0, 0.0]])
    kept = ease_text.strongest(weights, 1).toarray()
    assert kept.tolist() == [[0, 3, 1], [-2, 0, 0], [0, 0, 0]]


def test_weights_survive_being_stored() -> None:
    data = with_everything()
    model = ease_text.fit(data, ease_recipe())
    again = ease_text.load(model.weights(), data, ease_recipe())
    users = torch.arange(len(data.users))
    assert torch.equal(model.score_block(users), again.score_block(users))


def test_weights_serve_a_later_dataset_by_the_names_of_its_items() -> None:
    """A new item stands before the others, and pushes every row and column on by one."""
    before = dataset([(0, 0), (0, 1), (1, 1), (1, 2)], 2, 3)
    model = ease_text.fit(before, ease_recipe())
    later = replace(dataset([(0, 1), (0, 2), (1, 2), (1, 3)], 2, 4), items=["a new one", *before.items])
    again = ease_text.load(model.weights(), later, ease_recipe())
    users = torch.arange(2)
    assert torch.equal(again.score_block(users)[:, 1:], model.score_block(users))
    assert not again.score_block(users)[:, 0].any()


def test_weights_without_names_are_of_their_own_dataset_alone() -> None:
    weights = ease_text.fit(told(), ease_recipe()).weights()
    del weights["items.names"]
    with pytest.raises(JobError, match="are for 4 items, not 20"):
        ease_text.load(weights, with_everything(), ease_recipe())


def test_an_indefinite_matrix_gets_a_larger_ridge(caplog: pytest.LogCaptureFixture) -> None:
    """Eigenvalues 1 and -3 before the ridge of 1: it takes 4, so that B_01 = 2 / (-1 + 4)."""
    with caplog.at_level("INFO"):
        weights = ease_text.solve(torch.tensor([[-1.0, 2.0], [2.0, -1.0]]), ridge=1.0)
    assert weights.tolist() == [[0.0, pytest.approx(2 / 3)], [pytest.approx(2 / 3), 0.0]]
    assert "doubled" in caplog.text


@pytest.mark.parametrize("size", [1, 7, 16, 33])
def test_the_inverse_by_blocks_is_the_inverse(size: int) -> None:
    random = torch.randn(size, size, generator=torch.Generator().manual_seed(size), dtype=torch.float64)
    matrix = random @ random.T + torch.eye(size)
    found = inverse_from_factor(torch.linalg.cholesky(matrix), block=8)
    assert torch.allclose(found, torch.linalg.inv(matrix))


def test_an_item_without_description_is_told_by_its_title_and_reviews() -> None:
    """Item 0 has a title, item 1 title and reviews (the last two of three), item 2 reviews alone, item 3 nothing."""
    e = np.eye(6, dtype=np.float32)
    data = dataset(
        [(0, 1), (1, 1), (2, 1), (0, 2)],
        3,
        4,
        review_E=np.arange(4),
        review_RT=e[[0, 1, 2, 3]],
        text_IT=e[[4, 5, 4, 4]],
        text_present_I=np.array([True, True, False, False]),
        text_from_reviews_I=np.array([False, True, True, True]),
    )
    raw = np.stack([e[4], (e[5] + (e[1] + e[2]) / 2) / 2, e[3]])
    centred = raw - raw.mean(0)
    expected = np.vstack([centred / np.linalg.norm(centred, axis=1, keepdims=True), np.zeros(6)])
    assert unit_item_texts(data).numpy() == pytest.approx(expected, abs=1e-6)


def test_only_a_users_last_events_count_as_co_occurring() -> None:
    data = dataset([(0, 0), (1, 1), (0, 2), (0, 3), (1, 0)], 2, 4)
    kept = text_knn.last_events(data, np.array([True, True, True, False, True]), history=1)
    assert kept.tolist() == [False, False, True, False, True]


def test_the_sparse_floor_is_its_equation() -> None:
    """User degrees 2, 2, 1; item degrees 2, 2, 1, and the new item counts as 1."""
    recipe = replace(knn_recipe(), item_exponent=0.5)
    model = text_knn.fit(told(), recipe)
    together = 2 * 2**-0.5 / 2  # items 0 and 1: two users of degree 2
    alike = 1.0 * (2 * together) / 2  # items 2 and 3: as much in sum as the co-occurrences
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = together * 2**0.5
    expected[2, 3] = expected[3, 2] = alike
    assert model.weight_II.toarray() == pytest.approx(expected, abs=1e-6)
