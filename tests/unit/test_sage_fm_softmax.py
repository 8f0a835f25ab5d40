"""The graph model with a softmax over all items: its inputs, its layer, what a step hides, a later dataset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models import families
from recsys_jobs.models.layers.alike_texts import alike_texts
from recsys_jobs.models.layers.sparse import pair
from recsys_jobs.models.sage_softmax.item_inputs import item_inputs, weighted_terms
from recsys_jobs.models.sage_softmax.learner import SageSoftmaxLearner, without_pairs
from recsys_jobs.models.sage_softmax.network import SageSoftmax, scaled, vectors
from recsys_jobs.models.sage_softmax.recipe import sage_fm_softmax
from recsys_jobs.training.learner import event_split
from tests.unit.worlds import dataset, with_everything

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
TINY = replace(sage_fm_softmax(), width=4, text_neighbours=0, min_batch=8, max_epochs=2)
# user 0 had items 0 and 1, user 1 had item 1; item 2 nobody
HISTORY = sparse.csr_matrix(np.array([[1, 1, 0], [0, 1, 0]], np.float32))


def texts(rows: list[list[float]]) -> Dataset:
    return dataset(
        [(0, 0)],
        1,
        len(rows),
        text_IT=np.array(rows, np.float32),
        review_RT=np.zeros((0, 2), np.float32),
        text_present_I=np.ones(len(rows), bool),
    )


def with_terms() -> Dataset:
    """Of three items all have term 7; the first two have term 5, the first alone term 9."""
    items, terms = np.array([0, 1, 2, 0, 1, 0]), np.array([7, 7, 7, 5, 5, 9])
    return dataset([(0, 0), (0, 1), (1, 1)], 2, 3, term_item_P=items, term_P=terms)


def test_rare_terms_weigh_more_and_what_all_have_nothing() -> None:
    rare, half = np.log(3), np.log(1.5)
    length = np.hypot(rare, half)
    found = weighted_terms(with_terms(), np.array([5, 7, 9])).toarray()
    assert np.allclose(found, [[half / length, 0, rare / length], [1, 0, 0], [0, 0, 0]])


def test_terms_that_a_model_does_not_know_are_left_out() -> None:
    assert np.allclose(weighted_terms(with_terms(), np.array([5, 6])).toarray(), [[1, 0], [1, 0], [0, 0]])


def test_the_graph_of_alike_texts_is_symmetric_and_damped_by_its_degrees() -> None:
    """Around their mean (2, 0) two texts look the same way and two the other: each pair is an edge of weight 1."""
    found = alike_texts(texts([[3, 1], [3, 1], [1, -1], [1, -1]]), neighbours=1).toarray()
    assert np.allclose(found, [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], atol=1e-6)


def test_what_all_pictures_share_says_nothing_where_they_enter_centred() -> None:
    """Encoders give all their vectors one direction; without it, two of them say what tells them apart."""
    data = with_everything()
    shifted = replace(data, image_IV=data.image_IV + 100 * data.image_present_I[:, None].astype(np.float32))
    recipe, nothing = replace(TINY, text_neighbours=0, centred_images=True), np.zeros(0, np.int64)
    plain, moved = (item_inputs(one, nothing, recipe, CPU).content_IC for one in (data, shifted))
    assert torch.allclose(plain, moved, atol=1e-4)
    image_IV = plain[:, data.text_IT.shape[1] :]
    assert torch.allclose(image_IV.norm(dim=1), torch.from_numpy(data.image_present_I).float(), atol=1e-5)
    as_they_are = item_inputs(shifted, nothing, replace(recipe, centred_images=False), CPU).content_IC
    assert not torch.allclose(as_they_are, plain, atol=0.1)


def test_events_are_damped_by_both_degrees() -> None:
    root = 2**-0.5
    assert np.allclose(scaled(HISTORY).toarray(), [[root, root * root, 0], [0, root, 0]])


def test_a_layer_adds_what_people_had_beside_an_item() -> None:
    network = SageSoftmax(TINY, torch.ones(3), terms=0, content_width=0)
    recipe = replace(TINY, text_neighbours=0)
    inputs = item_inputs(dataset([(0, 0)], 1, 3), np.zeros(0, np.int64), recipe, CPU)
    inputs = inputs._replace(content_IC=torch.zeros(3, 0))
    history = scaled(HISTORY)
    start_ID, dense = network.free_ID.detach(), torch.from_numpy(history.toarray())
    found = network(inputs, pair(history, CPU)).detach()
    assert torch.allclose(found, start_ID + dense.T @ dense @ start_ID, atol=1e-6)
    user_UD, item_ID = vectors(network, inputs, history)
    cosine = torch.nn.functional.cosine_similarity(dense[0] @ found, found[2], dim=0)
    assert float(user_UD[0] @ item_ID[2]) == pytest.approx(float(cosine) / TINY.temperature, abs=1e-4)


def test_hidden_pairs_become_zeros() -> None:
    left = without_pairs(HISTORY, np.array([0, 1]), np.array([1, 1]))
    assert left.toarray().tolist() == [[1, 0, 0], [0, 0, 0]]
    assert HISTORY.toarray().tolist() == [[1, 1, 0], [0, 1, 0]]


def test_what_a_step_asks_for_cannot_be_seen() -> None:
    """Users 0 to 5 each had item 0 and one of their own: hidden, item 0's vector is its free row alone."""
    data = dataset([(user, item) for user in range(6) for item in (0, user + 1)], 6, 7)
    learner = SageSoftmaxLearner(data, TINY, event_split(data, epochs=1), CPU)
    left = without_pairs(learner.scaled_UI, np.arange(6), np.zeros(6, np.int64))
    found = learner.network(learner.inputs, pair(left, CPU))
    assert torch.allclose(found[0], learner.network.free_ID[0])


def test_users_of_one_event_are_not_asked() -> None:
    data = dataset([(0, 0), (0, 1), (1, 1)], 2, 3)
    assert SageSoftmaxLearner(data, TINY, event_split(data, epochs=1), CPU).user_N.tolist() == [0]
    alone = dataset([(0, 0), (1, 1)], 2, 3)
    with pytest.raises(JobError, match="no user has two events"):
        SageSoftmaxLearner(alone, TINY, event_split(alone, epochs=1), CPU)


def test_an_item_that_nobody_had_is_what_its_terms_say() -> None:
    """Item 3 has the terms of item 0 and no row of its own; that nobody had it counts against it."""
    terms = {"term_item_P": np.array([0, 1, 2, 3]), "term_P": np.array([4, 8, 8, 4])}
    data = dataset([(user, item) for user in range(9) for item in (user % 3, (user + 1) % 3)], 9, 4, **terms)
    model = families.fit(data, TINY, seed=0, epochs=2).model
    vectors_ID = model.item_vectors()
    assert vectors_ID is not None
    weights = model.weights()
    assert not weights["model.free_ID"][3].any()
    assert weights["model.bias_I"][3] < weights["model.bias_I"][:3].min()
    term_D = weights["model.term_GD"][0]
    assert torch.allclose(vectors_ID[3], term_D / term_D.norm(), atol=1e-5)


def test_an_item_that_came_later_is_as_likely_as_the_unsold_ones() -> None:
    data = dataset([(user, item) for user in range(9) for item in (user % 3, (user + 1) % 3)], 9, 5)
    weights = families.fit(data, TINY, seed=0, epochs=2).model.weights()
    later = dataset([(user, item) for user in range(9) for item in (user % 3, (user + 1) % 3)], 9, 6)
    bias_I = families.load(weights, later, TINY).weights()["model.bias_I"]
    assert torch.isclose(bias_I[5], weights["model.bias_I"][3:].mean())
    assert torch.equal(bias_I[:5], weights["model.bias_I"])


def test_weights_serve_a_later_dataset_with_more_items_and_terms() -> None:
    data = with_everything()
    items = np.arange(20)
    first = replace(data, term_item_P=items, term_P=items % 4 + 10)
    model = families.fit(first, TINY, seed=0, epochs=1).model
    later = dataset([(0, 0), (0, 20)], 1, 21, image_IV=np.zeros((21, 5), np.float32))
    later = replace(later, term_item_P=np.array([0, 20, 20]), term_P=np.array([10, 10, 99]))
    again = families.load(model.weights(), later, TINY)
    assert again.score_block(torch.arange(1)).shape == (1, 21)
    assert torch.equal(again.weights()["model.term_GD"], model.weights()["model.term_GD"])
