"""LightGCN and matrix factorisation: the layers by hand, and whom training did not meet."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from recsys_jobs.data.histories import events_matrix
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.lightgcn.learner import fit, load
from recsys_jobs.models.lightgcn.network import adjacency, propagate, vectors
from recsys_jobs.models.lightgcn.recipe import bpr_mf, lightgcn
from tests.unit.worlds import dataset, two_tastes

CPU = torch.device("cpu")
TINY = {"width": 4, "min_batch": 32, "steps_per_epoch": 4}


def test_a_layer_is_the_neighbours_by_the_roots_of_both_degrees() -> None:
    """User 0 had items 0 and 1, user 1 had item 1; nodes are user 0, user 1, item 0, item 1."""
    graph = adjacency(events_matrix(dataset([(0, 0), (0, 1), (1, 1)], 2, 2)), CPU)
    start = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    layer = [3 / 2**0.5 + 4 / 2, 4 / 2**0.5, 1 / 2**0.5, 1 / 2 + 2 / 2**0.5]
    expected = [(a + b) / 2 for a, b in zip([1, 2, 3, 4], layer, strict=True)]
    assert propagate(start, graph, 1)[:, 0].tolist() == pytest.approx(expected)
    assert torch.equal(propagate(start, graph, 0), start)


def test_the_gradient_of_the_layers_is_that_of_the_sum_written_out() -> None:
    data = two_tastes()
    graph = adjacency(events_matrix(data), CPU)
    start = torch.randn(len(data.users) + len(data.items), 3, generator=torch.Generator().manual_seed(0))
    wanted = torch.randn(start.shape, generator=torch.Generator().manual_seed(1))
    ours, slow = (start.clone().requires_grad_() for _ in range(2))
    layers, dense = [slow], graph.to_dense()
    for _ in range(3):
        layers.append(dense @ layers[-1])
    (propagate(ours, graph, 3) * wanted).sum().backward()
    (torch.stack(layers).mean(0) * wanted).sum().backward()
    assert torch.allclose(ours.grad, slow.grad, atol=1e-6)


def test_whom_training_did_not_meet_is_the_mean_of_its_neighbours_or_of_everyone() -> None:
    """User 2 had items 0 and 1, user 3 nothing; item 2 was had by users 0 and 1, item 3 by nobody."""
    history_UI = events_matrix(dataset([(0, 2), (1, 2), (2, 0), (2, 1)], 4, 4))
    start = torch.tensor([[1.0], [3.0], [0.0], [0.0], [10.0], [20.0], [0.0], [0.0]])
    user_UD, item_ID = vectors(start, history_UI, 0, CPU)
    assert user_UD[:, 0].tolist() == pytest.approx([1, 3, 15, 19 / 3])
    assert item_ID[:, 0].tolist() == pytest.approx([10, 20, 2, 32 / 3])


@pytest.mark.parametrize("recipe", [bpr_mf(), lightgcn()], ids=lambda recipe: recipe.name)
def test_over_a_later_dataset_rows_follow_their_names_and_new_ones_get_scores(recipe: object) -> None:
    """A new first item moves all the rows; the new user had items that training met."""
    recipe = replace(recipe, **TINY)
    early = dataset([(0, 0), (0, 1), (1, 1), (1, 2), (2, 0), (2, 2)], 3, 4)
    fitted = fit(early, recipe, seed=0, epochs=2)
    pairs = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)]
    later = replace(dataset(pairs, 4, 5), items=["a new one", *early.items], users=[*early.users, "u00009"])
    scores = load(fitted.weights(), later, recipe).score_block(torch.arange(4))
    assert scores.isfinite().all()
    assert scores[3].std() > 0
    if recipe.layers == 0:
        assert torch.equal(scores[:3, 1:4], fitted.score_block(torch.arange(3))[:, :3])


def test_users_without_a_training_pair_stay_unlearned() -> None:
    """User 2 has one event: nothing is left of it when the pair has left."""
    data = dataset([(0, 0), (0, 1), (1, 1), (1, 2), (2, 3)], 3, 5)
    state = fit(data, replace(bpr_mf(), **TINY), seed=0, epochs=3).weights()
    assert state["users.vectors"].any(1).tolist() == [True, True, False]
    assert state["items.vectors"].any(1).tolist() == [True, True, True, True, False]


def test_names_survive_packing_and_find_their_rows() -> None:
    assert id_rows.unpack(id_rows.pack(["a", "å", "c"])) == ["a", "å", "c"]
    assert id_rows.unpack(id_rows.pack([])) == []
    assert id_rows.rows_of(["a", "b", "c"], ["c", "d", "a"]).tolist() == [2, -1, 0]
    assert id_rows.rows_for(torch.eye(3), ["a", "b", "c"], ["c", "d"]).tolist() == [[0, 0, 1], [0, 0, 0]]
