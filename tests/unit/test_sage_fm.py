"""The network: what a training pair may see, missing modalities, unseen nodes, the graph."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import Tensor
from torch_geometric.nn import SAGEConv

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.histories import last_reviews
from recsys_jobs.models.layers.alike_texts import alike, alike_titles
from recsys_jobs.models.layers.sparse import pair, to_torch
from recsys_jobs.models.sage_fm.graph_sage import GraphEncoder, MeanSAGEConv, view
from recsys_jobs.models.sage_fm.item_graph import build_graph, drop_edges, without_pairs
from recsys_jobs.models.sage_fm.network import SageFM
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe, sage_fm, sage_fm_seed
from recsys_jobs.models.sage_fm.visible_data import VisibleData, build_visible_data, item_text, mean_review
from tests.unit.worlds import dataset, with_everything

CPU = torch.device("cpu")
TINY = {"width": 8, "graph_width": 8, "fm_rank": 4}
RECIPES = [replace(sage_fm_seed(), **TINY), replace(sage_fm(), **TINY)]


def world_of(data: Dataset) -> VisibleData:
    return build_visible_data(data, np.ones(len(data.event_user_E), np.bool_), CPU)


def model_of(recipe: SageFMRecipe, data: Dataset) -> SageFM:
    torch.manual_seed(0)
    model = SageFM(recipe, len(data.items), data.text_IT.shape[1], data.image_IV.shape[1])
    model.fit_projections(world_of(data))
    return model


def pair_vectors(model: SageFM, data: Dataset, user: int, item: int, leave: bool) -> tuple[Tensor, Tensor]:
    """Return the two sides of a pair [D], as training (leave) or scoring sees them."""
    world = world_of(data)
    graph = view(world.graph.weight_II, np.ones(len(data.items), np.bool_), model.recipe.weighted_edges, CPU)
    users, chosen = torch.tensor([user]), torch.tensor([item])
    with torch.no_grad():
        items = model.encode_items(world, graph)
        user_D = model.encode_users(world, items, users, chosen if leave else None).vector_BD[0]
        item_D = model.positives(world, items, chosen, users)[0] if leave else items.fused.vector_BD[item]
    return user_D, item_D


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_positive_does_not_see_itself(recipe: SageFMRecipe) -> None:
    """The item's image, text and node leave the user's side; the pair's review leaves both sides."""
    empty = np.zeros(0, np.int64)  # no edges: through them an item is rightly seen by its neighbours
    data = replace_all(with_everything(), edge_src_K=empty, edge_dst_K=empty, edge_weight_K=np.zeros(0, np.float32))
    data = replace_all(data, text_present_I=np.ones(20, np.bool_), image_present_I=np.ones(20, np.bool_))
    data = replace_all(data, text_from_reviews_I=np.ones(20, np.bool_), review_E=np.arange(150))
    model, user, item = model_of(recipe, data), int(data.event_user_E[-1]), int(data.event_item_E[-1])
    changed = {name: getattr(data, name).copy() for name in ("image_IV", "text_IT", "review_RT")}
    changed["review_RT"][-1] += 30.0
    own_review = replace_all(data, review_RT=changed["review_RT"])
    changed["image_IV"][item] += 30.0
    changed["text_IT"][item] += 30.0
    wild, wilder = replace_all(data, **changed), model_of(recipe, data)
    wilder.load_state_dict(model.state_dict())
    wilder.graph.input_IG.data[item] += 30.0

    user_before, item_before = pair_vectors(model, data, user, item, leave=True)
    assert torch.allclose(pair_vectors(wilder, wild, user, item, leave=True)[0], user_before, atol=1e-4)
    assert torch.allclose(pair_vectors(model, own_review, user, item, leave=True)[1], item_before, atol=1e-5)

    user_scored, item_scored = pair_vectors(model, data, user, item, leave=False)  # scoring sees all of it
    assert not torch.allclose(pair_vectors(wilder, wild, user, item, leave=False)[0], user_scored, atol=1e-2)
    assert not torch.allclose(pair_vectors(model, own_review, user, item, leave=False)[1], item_scored, atol=1e-2)


def replace_all(data: Dataset, **changes: np.ndarray) -> Dataset:
    return dataclasses.replace(data, **changes)


def test_last_reviews_are_newest_first_and_skip_events_without_one() -> None:
    owner, other, review = np.array([0, 1, 0, 0, 0]), np.array([9, 8, 7, 6, 5]), np.array([10, 11, 12, -1, 14])
    reviews = last_reviews(owner, other, review, owners=3, take=1)
    assert reviews.row_OL.tolist() == [[14, 12], [11, -1], [-1, -1]]
    assert reviews.other_OL.tolist() == [[5, 7], [8, -1], [-1, -1]]


def test_the_last_of_those_left_stand_for_a_user() -> None:
    vectors = np.eye(6, dtype=np.float32)
    data = dataset([(0, 0), (0, 1), (0, 2), (1, 0)], 2, 3, review_RT=vectors, review_E=np.array([0, 1, 2, -1]))
    world = world_of(data)
    means, present = mean_review(world, world.user_reviews, torch.tensor([0, 0, 0, 1]), torch.tensor([2, 1, 0, 0]))
    assert means[:, :3].tolist() == [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]
    assert present.tolist() == [True, True, True, False]


def test_an_item_without_description_stands_on_its_title_and_its_reviews() -> None:
    vectors = np.eye(6, dtype=np.float32)
    text = np.zeros((3, 6), np.float32)
    text[0, 5] = text[1, 4] = 1.0
    data = dataset(
        [(0, 0), (1, 0), (0, 1), (1, 2)],
        2,
        3,
        review_RT=vectors,
        review_E=np.array([0, 1, 2, 3]),
        text_IT=text,
        text_present_I=np.array([True, True, False]),
        text_from_reviews_I=np.array([True, False, True]),
    )
    world, items = world_of(data), torch.arange(3)
    full, present = item_text(world, items, None)
    assert full.tolist() == [[0.25, 0.25, 0, 0, 0, 0.5], [0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0]]
    assert present.all()
    left, present = item_text(world, items, torch.tensor([1, 1, 1]))
    assert left.tolist() == [[0.5, 0, 0, 0, 0, 0.5], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0]]
    assert present.tolist() == [True, True, False]


def square() -> sparse.csr_matrix:
    """0 - 1 (weight 1), 0 - 2 (weight 3); 3 alone."""
    dense = np.zeros((4, 4), np.float32)
    dense[0, 1] = dense[1, 0] = 1.0
    dense[0, 2] = dense[2, 0] = 3.0
    return sparse.csr_matrix(dense)


def test_the_fused_layer_is_pyg_s() -> None:
    torch.manual_seed(0)
    ours, theirs, x = MeanSAGEConv(3, 5), SAGEConv(3, 5), torch.randn(4, 3, requires_grad=True)
    theirs.load_state_dict(ours.state_dict())
    weights = view(square(), np.ones(4, np.bool_), weighted=False, device=CPU).weight_II
    edges = torch.tensor([[0, 1, 0, 2], [1, 0, 2, 0]])
    (grad_ours,) = torch.autograd.grad(ours(x, weights).square().sum(), x)
    (grad_theirs,) = torch.autograd.grad(theirs(x, edges).square().sum(), x)
    assert torch.allclose(ours(x, weights), theirs(x, edges), atol=1e-6)
    assert torch.allclose(grad_ours, grad_theirs, atol=1e-5)


def test_neighbours_count_by_weight_where_asked() -> None:
    layer, x = MeanSAGEConv(1, 1), torch.tensor([[0.0], [4.0], [8.0], [1.0]])
    layer.lin_l.weight.data.fill_(1.0)
    layer.lin_l.bias.data.zero_()
    layer.lin_r.weight.data.zero_()
    assert layer(x, to_torch(square(), CPU)).squeeze(1).tolist() == [7.0, 0.0, 0.0, 0.0]


def test_an_unknown_node_starts_from_its_known_neighbours() -> None:
    shown = view(square(), np.array([False, True, True, False]), weighted=True, device=CPU)
    assert shown.unknown_N.tolist() == [0, 3]
    assert shown.start_NI.matrix.to_dense().tolist() == [[0.0, 0.25, 0.75, 0.0], [0.0, 0.0, 0.0, 0.0]]
    assert shown.reachable_I.tolist() == [True, True, True, False]


def test_a_node_starts_from_those_of_alike_titles_too() -> None:
    encoder = GraphEncoder(4, 1, 0, 1.0, linear=True)
    encoder.input_IG.data = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    alike_II = pair(sparse.csr_matrix(np.array([[0, 0.5, 0, 0], [0.5, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])), CPU)
    shown = view(square(), np.array([True, True, True, False]), weighted=True, device=CPU)  # 3 has no neighbour
    found_I1 = encoder(shown, torch.ones(4, 1), alike_II)
    assert found_I1.squeeze(1).tolist() == [2 + 1.5, 3 + 1, 4 + 1, 1 + 4]


def test_which_titles_are_alike_is_not_told_by_reviews() -> None:
    """They would show a training pair its own."""
    data = with_everything()
    rewritten = replace_all(data, review_RT=data.review_RT[::-1].copy())
    found = [alike_titles(one, 3, CPU) for one in (data, rewritten)]
    assert torch.equal(*(one.matrix.to_dense() for one in found if one))
    by_reviews = [alike(one, 3, CPU) for one in (data, rewritten)]
    assert not torch.equal(*(one.matrix.to_dense() for one in by_reviews if one))
    assert alike_titles(data, 0, CPU) is None


def triangle() -> Dataset:
    """Users 0 and 1 share items 0 and 1; user 0 alone has item 2; 1 - 3 is listed."""
    pairs = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 3)]
    edges = {"edge_src_K": np.array([0, 2, 1]), "edge_dst_K": np.array([1, 0, 3])}
    return dataset(pairs, 3, 4, **edges, edge_weight_K=np.array([2.0, 1.0, 1.0], np.float32))


def dense_without(data: Dataset, user: list[int], item: list[int]) -> list[list[float]]:
    world = world_of(data)
    weight_II = world.graph.weight_II
    left = without_pairs(
        world.graph, world.graph.keys(), world.history_UI, *(np.array(n, np.int64) for n in (user, item))
    )
    return sparse.csr_matrix((left, weight_II.indices, weight_II.indptr), shape=(4, 4)).toarray().tolist()


def test_an_edge_loses_what_the_step_s_pairs_gave_it() -> None:
    whole = [[0, 2, 1, 0], [2, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert dense_without(triangle(), [], []) == whole
    assert dense_without(triangle(), [1], [0]) == [[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert dense_without(triangle(), [0], [2]) == [[0, 2, 0, 0], [2, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert dense_without(triangle(), [2], [3]) == whole


def test_edges_that_only_validation_made_are_gone() -> None:
    data = triangle()
    seen = np.array([True, True, False, True, False, True])
    everything = world_of(data).history_UI
    history = build_visible_data(data, seen, CPU).history_UI
    graph = build_graph(data, everything, history)
    assert graph.weight_II.toarray().tolist() == [[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]


def test_dropped_edges_go_in_both_directions() -> None:
    kept = drop_edges(world_of(with_everything()).graph.weight_II, 0.5, np.random.default_rng(0))
    assert (kept != kept.T).nnz == 0
    assert 0 < kept.nnz < world_of(with_everything()).graph.weight_II.nnz


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_world_without_contents_has_finite_vectors(recipe: SageFMRecipe) -> None:
    data = dataset([(0, 0), (0, 1), (1, 0)], 3, 3)
    data = replace_all(data, text_IT=np.zeros((3, 0), np.float32), review_RT=np.zeros((0, 0), np.float32))
    user_D, item_D = pair_vectors(model_of(recipe, data), data, 2, 2, leave=False)
    assert user_D.tolist() == [0.0] * 8  # no history, no modality
    assert torch.isfinite(item_D).all()
