"""Slates: the K best that a user does not own, ties by item id, the same by either way of finding them."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from torch import Tensor

from recsys_jobs.data.dataset import Dataset
from recsys_jobs.ranking import folded_search
from recsys_jobs.ranking.faiss_search import inner_product_index, neighbour_index, search
from recsys_jobs.ranking.folded_search import FoldedSearch
from recsys_jobs.ranking.model import Factors
from recsys_jobs.ranking.stable_top_k import stable_top_k
from recsys_jobs.ranking.top_k import Slates, owned_items, popular_items, similar_items, top_k
from tests.unit.worlds import dataset


@dataclass
class Table:
    """A model whose scores [U, I] are typed out."""

    score_UI: Tensor

    def score_block(self, user_B: Tensor) -> Tensor:
        return self.score_UI[user_B]

    def factors(self) -> Factors | None:
        return None

    def item_vectors(self) -> Tensor | None:
        return None

    def weights(self) -> dict[str, Tensor]:
        return {"scores": self.score_UI}


@dataclass
class Product(Table):
    """The same from factors; it counts nothing else."""

    user_UF: Tensor
    item_IF: Tensor

    def factors(self) -> Factors | None:
        return Factors(self.user_UF, self.item_IF)

    def item_vectors(self) -> Tensor | None:
        return self.item_IF


def product(user_UF: Tensor, item_IF: Tensor) -> Product:
    return Product((user_UF.double() @ item_IF.double().T).float(), user_UF, item_IF)


def test_ranking_that_takes_long_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, data = Table(torch.zeros(5, 3)), dataset([(0, 0)], 5, 3)
    with caplog.at_level(logging.INFO):
        list(top_k(model, data, 1, block=2))
        assert caplog.messages == []
        monkeypatch.setattr("recsys_jobs.ranking.top_k._LOG_EVERY", -1.0)
        list(top_k(model, data, 1, block=2))
    assert caplog.messages == ["ranked for 2 of 5 users", "ranked for 4 of 5 users", "ranked for 5 of 5 users"]


def all_slates(model: Table, data: Dataset, k: int, **options: object) -> Slates:
    blocks = list(top_k(model, data, k, **options))  # type: ignore[arg-type]
    return Slates(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def slow_slate(scores: list[float], owned: set[int], blocked: set[int], k: int) -> list[int]:
    left = [item for item in range(len(scores)) if item not in owned | blocked]
    return sorted(left, key=lambda item: (-scores[item], item))[:k]


def owned_by(data: Dataset, user: int) -> set[int]:
    return set(data.event_item_E[data.event_user_E == user].tolist())


def test_the_best_that_a_user_does_not_own_ties_by_item() -> None:
    scores = torch.tensor([[9.0, 5.0, 5.0, 7.0, 5.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
    found = all_slates(Table(scores), dataset([(0, 0), (1, 1)], 2, 5), 3)
    assert found.user_B.tolist() == [0, 1]
    assert found.item_BK.tolist() == [[3, 1, 2], [0, 2, 3]]
    assert found.score_BK.tolist() == [[7.0, 5.0, 5.0], [1.0, 1.0, 1.0]]
    assert found.count_B.tolist() == [3, 3]


@pytest.mark.parametrize("make", [Table, lambda scores: product(scores, torch.eye(4))], ids=["dense", "folded"])
def test_a_user_with_little_left_gets_a_short_slate(make: type[Table]) -> None:
    """User 0 owns three of four items, and one of those is blocked; user 1 owns the blocked one alone."""
    model = make(torch.tensor([[1.0, 2.0, 3.0, 4.0]] * 2))
    data = dataset([(0, 0), (0, 1), (0, 3), (1, 3)], 2, 4)
    found = all_slates(model, data, 3, blocked_items=np.array([3]))
    assert found.item_BK.tolist() == [[2, -1, -1], [2, 1, 0]]
    assert found.score_BK[0].tolist() == [3.0, -np.inf, -np.inf]
    assert found.count_B.tolist() == [1, 3]


@pytest.mark.parametrize("make", [Table, lambda scores: product(scores, torch.eye(2))], ids=["dense", "folded"])
def test_nothing_is_left_when_everything_is_blocked(make: type[Table]) -> None:
    found = all_slates(make(torch.ones(1, 2)), dataset([(0, 0)], 1, 2), 3, blocked_items=np.array([0, 1]))
    assert found.item_BK.shape == (1, 0)
    assert found.count_B.tolist() == [0]


def test_scores_that_are_not_finite_come_last_and_are_shown_as_they_are() -> None:
    scores = torch.tensor([[torch.nan, 1.0, -torch.inf, 2.0]])
    found = all_slates(Table(scores), dataset([(0, 3)], 1, 4), 4)
    assert found.item_BK.tolist() == [[1, 0, 2, -1]]
    assert found.count_B.tolist() == [3]
    assert np.isnan(found.score_BK[0, 1])


@pytest.mark.parametrize("make", [Table, lambda scores: product(scores, torch.eye(4))], ids=["dense", "folded"])
def test_hidden_pairs_are_left_out_like_owned_ones(make: type[Table]) -> None:
    """User 0 owns item 3 and has 2 hidden, and 3 as well; user 1 has item 0 hidden alone."""
    hidden = sparse.csr_matrix(np.array([[0, 0, 1, 1], [1, 0, 0, 0]], np.bool_))
    model = make(torch.tensor([[1.0, 2.0, 3.0, 4.0]] * 2))
    found = all_slates(model, dataset([(0, 3)], 2, 4), 3, hidden_UI=hidden)
    assert found.item_BK.tolist() == [[1, 0, -1], [3, 2, 1]]
    assert found.count_B.tolist() == [2, 3]


def test_broken_factors_are_not_searched() -> None:
    factors = torch.tensor([[1.0], [torch.nan]])
    found = all_slates(product(factors, torch.tensor([[3.0], [4.0]])), dataset([(0, 0), (1, 0)], 2, 2), 2)
    assert found.item_BK.tolist() == [[1, -1], [1, -1]]
    assert np.isnan(found.score_BK[1, 0])


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=60)
def test_either_way_gives_the_slates_of_a_slow_obvious_loop(seed: int) -> None:
    """Integer factors of few values tie everywhere, also where the slate and FAISS's candidates end."""
    random = np.random.default_rng(seed)
    users, items, k, width = (int(random.integers(1, most)) for most in (12, 90, 12, 4))
    model = product(*(torch.from_numpy(random.integers(-2, 3, (n, width))).float() for n in (users, items)))
    pairs = np.argwhere(random.random((users, items)) < random.random() ** 2)
    data = dataset([(int(u), int(i)) for u, i in pairs], users, items)
    blocked = np.flatnonzero(random.random(items) < 0.1)
    wanted = random.permutation(users)
    searched = all_slates(model, data, k, users=wanted, blocked_items=blocked, block=5)
    dense = all_slates(Table(model.score_UI), data, k, users=wanted, blocked_items=blocked, block=3)
    for row, user in enumerate(wanted):
        expected = slow_slate(model.score_UI[user].tolist(), owned_by(data, int(user)), set(blocked.tolist()), k)
        for found in (searched, dense):
            assert found.user_B[row] == user
            assert found.count_B[row] == len(expected)
            assert found.item_BK[row, : len(expected)].tolist() == expected
            assert (found.item_BK[row, len(expected) :] == -1).all()


@given(seed=st.integers(0, 10_000), coarse=st.booleans())
@settings(deadline=None, max_examples=25)
def test_candidates_suffice_or_the_whole_catalogue_is_scored(seed: int, coarse: bool) -> None:
    """A catalogue too large to be searched whole, light and heavy users; `coarse` makes most scores tie."""
    random = np.random.default_rng(seed)
    users, items, k = 9, 1_200, 10
    user_UF, item_IF = (random.normal(size=(n, 5)) for n in (users, items))
    if coarse:
        user_UF, item_IF = user_UF.round(), item_IF.round()
    model = product(torch.from_numpy(user_UF).float(), torch.from_numpy(item_IF).float())
    share_U = random.choice([0.0, 0.01, 0.1, 0.5, 0.999], users)
    pairs = np.argwhere(random.random((users, items)) < share_U[:, None])
    data = dataset([(int(u), int(i)) for u, i in pairs], users, items)
    found = all_slates(model, data, k)
    for user in range(users):
        expected = slow_slate(model.score_UI[user].tolist(), owned_by(data, user), set(), k)
        assert found.item_BK[user, : len(expected)].tolist() == expected


def test_a_heavy_user_of_a_folded_model_still_gets_k() -> None:
    """The user owns the best 1,100 of 1,200 items."""
    item_IF = torch.arange(1_200.0, 0, -1)[:, None]
    data = dataset([(0, item) for item in range(1_100)], 1, 1_200)
    found = all_slates(product(torch.ones(1, 1), item_IF), data, 5)
    assert found.item_BK.tolist() == [[1_100, 1_101, 1_102, 1_103, 1_104]]


def test_most_users_are_served_by_the_search_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ties the proof holds; else the fast path would be the slow one in disguise."""
    whole: list[int] = []
    slowly = FoldedSearch._score_all
    monkeypatch.setattr(
        FoldedSearch, "_score_all", lambda self, user_G, *rest: whole.extend(user_G) or slowly(self, user_G, *rest)
    )
    generator = torch.Generator().manual_seed(0)
    model = product(torch.randn(300, 16, generator=generator), torch.randn(2_000, 16, generator=generator))
    data = dataset([(user, user * 3 % 2_000) for user in range(300)], 300, 2_000)
    all_slates(model, data, 20)
    assert len(whole) <= 3


def test_blocks_of_users_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    model = product(torch.randn(50, 8, generator=generator), torch.randn(700, 8, generator=generator))
    data = dataset([(user, user) for user in range(50)], 50, 700)
    once = all_slates(model, data, 20)
    monkeypatch.setattr(folded_search, "_PRODUCTS", 1_000)
    for part, again in zip(once, all_slates(model, data, 20, block=7), strict=True):
        assert (part == again).all()


def test_owned_items_are_those_of_every_event() -> None:
    data = dataset([(2, 1), (0, 2), (0, 0)], 3, 3, in_core_E=np.zeros(3, np.bool_))
    pointers, items = owned_items(data)
    assert pointers.tolist() == [0, 2, 2, 3]
    assert items.tolist() == [0, 2, 1]


def test_similar_items_by_cosine_leave_out_the_item_itself() -> None:
    vectors = torch.tensor([[1.0, 0.0], [2.0, 0.2], [0.0, 1.0], [5.0, 0.0], [-1.0, 0.0]])
    (found,) = similar_items(product(vectors, vectors), 2)
    assert found.similar_BK.tolist() == [[3, 1], [0, 3], [1, -1], [0, 1], [-1, -1]]
    assert found.count_B.tolist() == [2, 2, 1, 2, 0]


def test_similar_items_are_never_blocked_ones() -> None:
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    (found,) = similar_items(product(vectors, vectors), 2, blocked_items=np.array([1]))
    assert found.similar_BK.tolist() == [[2, -1], [0, 2], [0, -1]]


def test_a_model_without_vectors_has_no_similar_items() -> None:
    assert list(similar_items(Table(torch.ones(2, 2)), 1)) == []


def test_popular_items_are_those_of_most_users_ties_by_item() -> None:
    data = dataset([(0, 2), (1, 2), (0, 1), (1, 3)], 2, 4)
    items, users = popular_items(data, 3)
    assert items.tolist() == [2, 1, 3]
    assert users.tolist() == [2, 1, 1]
    assert popular_items(data, 3, blocked_items=np.array([2]))[0].tolist() == [1, 3, 0]


@given(st.lists(st.lists(st.integers(-2, 2), min_size=6, max_size=6), min_size=1, max_size=4), st.integers(0, 6))
def test_best_of_is_a_stable_sort_cut_short(rows: list[list[int]], k: int) -> None:
    expected = [sorted(range(6), key=lambda column: (-row[column], column))[:k] for row in rows]
    assert stable_top_k(torch.tensor(rows, dtype=torch.float32), k).tolist() == expected


def test_a_large_index_by_cells_finds_most_of_what_the_exact_one_does() -> None:
    vectors = np.random.default_rng(0).normal(size=(3_000, 8)).astype(np.float32)
    _, exact = search(inner_product_index(vectors), vectors[:200], 10)
    _, found = search(neighbour_index(vectors, flat_up_to=1_000), vectors[:200], 10)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, found, strict=True)]) > 0.8
