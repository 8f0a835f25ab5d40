"""Events get older, by the day; what is learned of that comes from the days before the cut, and from nothing later."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.recency import DAY, Recency, decayed_history, event_ages, popularity_prior, recent_popularity
from recsys_jobs.models.families import fit, load
from recsys_jobs.models.recent import learner
from recsys_jobs.models.recent.learner import Learned, RecentModel
from recsys_jobs.models.recent.recipe import item_knn_recent, multimodal_knn_recent, popularity_recent
from recsys_jobs.promotion.floor import floor_recipes
from recsys_jobs.ranking.model import HasPopularityTerm, Validated
from recsys_jobs.training.windows import last_windows, with_last_windows_as_validation
from tests.unit.worlds import dataset, with_everything

PAIRS = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 0)]
DAYS = [0, 10, 4, 10, 7]


def timed(pairs: list[tuple[int, int]], days: list[int], users: int, items: int) -> Dataset:
    """Events at noon of their days, in order."""
    order = sorted(range(len(pairs)), key=lambda event: (days[event], pairs[event][1]))
    made = dataset([pairs[event] for event in order], users, items)
    return dataclasses.replace(made, time_E=np.array([days[event] * DAY + DAY // 2 for event in order], np.int64))


def test_a_history_fades_by_half_in_a_half_life() -> None:
    """User 0 had item 0 ten days before item 1; of what is a user's newest all is left, and rows sum to one."""
    history_UI = decayed_history(timed(PAIRS, DAYS, 3, 3), 10.0).toarray()
    assert history_UI == pytest.approx(np.array([[1 / 3, 2 / 3, 0], [0, 0.397, 0.603], [1, 0, 0]]), abs=1e-3)
    plain_UI = decayed_history(timed(PAIRS, DAYS, 3, 3), 0.0).toarray()
    assert plain_UI == pytest.approx(np.array([[0.5, 0.5, 0], [0, 0.5, 0.5], [1, 0, 0]]))


def test_popularity_of_late() -> None:
    made = timed(PAIRS, DAYS, 3, 3)
    assert recent_popularity(made, 0.0).tolist() == [2, 2, 1]
    assert recent_popularity(made, 1.0) == pytest.approx([2**-10 + 2**-3, 1 + 2**-6, 1])
    assert popularity_prior(made, Recency(exponent=0.0)).tolist() == [1, 1, 1]


def test_without_times_nothing_is_old() -> None:
    made = dataset(PAIRS, 3, 3)
    assert event_ages(made).tolist() == [0] * 5
    assert recent_popularity(made, 1.0).tolist() == [2, 2, 1]
    half = dataclasses.replace(made, time_E=np.array([-1, 0, DAY, -1, 2 * DAY], np.int64))
    assert event_ages(half).tolist() == [2, 2, 1, 2, 0]  # an unknown time is the oldest that is known


@given(st.lists(st.integers(0, 5_000), min_size=5, max_size=5), st.integers(1, 3_000), st.floats(0.1, 1_000))
def test_waiting_changes_no_ranking(days: list[int], later: int, half_life: float) -> None:
    """Ages are counted from the last event: the same events, all `later`, are the same history."""
    before, after = timed(PAIRS, days, 3, 3), timed(PAIRS, [day + later for day in days], 3, 3)
    assert np.array_equal(decayed_history(before, half_life).toarray(), decayed_history(after, half_life).toarray())
    assert decayed_history(before, half_life).toarray().sum(1) == pytest.approx(np.ones(3), abs=1e-5)
    assert np.array_equal(recent_popularity(before, half_life), recent_popularity(after, half_life))


def shop(days: int = 40, people: int = 30, items: int = 40, seed: int = 0) -> Dataset:
    """Each day a few people have what is in fashion that week, two items, and now and then another."""
    random = np.random.default_rng(seed)
    pairs: dict[tuple[int, int], int] = {}
    for day in range(days):
        for user in random.choice(people, 8, replace=False):
            fashion = 2 * (day // 7) + random.integers(2)
            item = int(fashion if random.random() < 0.7 else random.integers(items))
            pairs.setdefault((int(user), item), day)
    return timed(list(pairs), list(pairs.values()), people, items)


def test_windows_are_the_last_whole_days_with_enough_people() -> None:
    made = shop()
    windows = last_windows(made, 3, people=8, share=0.9, most=100, k=5)
    assert len(windows) == 3
    ends = [int(made.time_E.max()) // DAY + 1]
    for window in windows:
        begin, users = int(window.past.time_E.max()) // DAY + 1, window.validation.users.numpy()
        day_E = made.time_E // DAY
        new_E = (day_E >= begin) & (day_E < ends[-1]) & np.isin(made.event_user_E, window.past.event_user_E)
        assert users.tolist() == sorted(set(made.event_user_E[new_E].tolist()))
        assert window.validation.relevant.sum() == new_E.sum()
        assert window.validation.owned.sum() == np.isin(window.past.event_user_E, users).sum()
        assert len(users) >= 8
        ends.append(begin)


def test_a_validation_of_the_last_windows_asks_their_people_and_hides_the_days() -> None:
    made = dataclasses.replace(shop(), in_core_E=np.arange(len(shop().event_user_E)) % 2 == 0)
    first = last_windows(made, 2, people=8, share=0.9, most=100, k=5)[-1].past
    found = with_last_windows_as_validation(made, 2, people=8, share=0.9)
    seen_E = ~found.validation_E
    assert np.array_equal(found.event_user_E[seen_E], first.event_user_E)
    assert np.array_equal(found.event_item_E[seen_E], first.event_item_E)
    later_E = np.isin(made.event_user_E, first.event_user_E) & (made.time_E > first.time_E.max())
    assert np.array_equal(found.event_user_E[found.validation_E], made.event_user_E[later_E])
    assert (~found.in_core_E[found.validation_E]).any()  # people of few events are asked like the others


def test_a_dataset_without_times_keeps_the_validation_that_it_has() -> None:
    made = with_everything()
    assert with_last_windows_as_validation(made, 2, people=1, share=0.9) is made


def test_windows_are_never_more_than_a_share_of_the_events() -> None:
    made = shop()
    (one,) = last_windows(made, 3, people=1_000, share=0.2, most=100, k=5)  # so many there are not
    assert len(one.past.event_user_E) >= 0.75 * len(made.event_user_E)
    assert last_windows(dataset(PAIRS, 3, 3), 3, people=1, share=0.2, most=9, k=5) == []


RECIPE = dataclasses.replace(item_knn_recent(), window_users=8, window_share=0.5)


def test_fashion_is_learned_and_shown() -> None:
    made = shop()
    model = fit(made, RECIPE, seed=0).model
    assert isinstance(model, RecentModel) and isinstance(model, Validated) and isinstance(model, HasPopularityTerm)
    assert model.learned.recency.exponent > 0 and 0 < model.learned.recency.popularity <= 14
    of_late = fit(made, dataclasses.replace(popularity_recent(), window_users=8, window_share=0.5), seed=0).model
    in_fashion = {2 * (39 // 7), 2 * (39 // 7) + 1}
    assert set(of_late.score_block(torch.tensor([0]))[0].topk(2).indices.tolist()) == in_fashion


def test_a_shop_without_time_loses_nothing() -> None:
    """Without times W is all there is: of each user's score the same share of its part's."""
    made = dataset([(u, i) for u in range(6) for i in range(8) if (u + i) % 3], 6, 8)
    dated, plain = (fit(made, one, seed=0).model for one in (RECIPE, RECIPE.parts[0][1]))
    assert isinstance(dated, RecentModel)
    personal_UI = dated.score_block(torch.arange(6)) - torch.from_numpy(dated.bias_I)
    events_U = torch.from_numpy(np.bincount(made.event_user_E))[:, None]
    plain_UI = plain.score_block(torch.arange(6))
    share = plain_UI.sum() / (personal_UI * events_U).sum()
    assert torch.allclose(personal_UI * events_U * share, plain_UI, atol=1e-4)
    assert np.ptp(dated.bias_I) == 0


def test_terms_of_a_history_and_the_prior_sum_to_the_score() -> None:
    model = fit(shop(), RECIPE, seed=0).model
    assert isinstance(model, RecentModel)
    for user, item in ((0, 3), (5, 10), (7, 39)):
        score = float(model.score_block(torch.tensor([user]))[0, item])
        assert sum(model.history_terms(user, item).values()) + model.prior_term(item) == pytest.approx(score, rel=1e-4)


def test_later_events_move_nothing() -> None:
    """What the fit of a cut learns and scores comes from the cut; over a later dataset its histories are older."""
    made = shop()
    cut_E = made.time_E < 30 * DAY
    pairs = list(zip(made.event_user_E[cut_E].tolist(), made.event_item_E[cut_E].tolist(), strict=True))
    early = timed(pairs, (made.time_E[cut_E] // DAY).tolist(), 30, 40)
    fitted = fit(early, RECIPE, seed=0).model
    moved = load(fitted.weights(), made, RECIPE)
    assert isinstance(fitted, RecentModel) and isinstance(moved, RecentModel)
    assert moved.learned == fitted.learned
    assert np.array_equal(moved.weight_II.toarray(), fitted.weight_II.toarray())
    assert moved.history_UI.nnz == len(made.event_user_E)


def test_the_learned_numbers_are_the_best_of_those_tried_one_by_one() -> None:
    made = shop()
    windows = last_windows(made, 3, RECIPE.window_users, RECIPE.window_share, 1_000, 20)
    model = fit(made, RECIPE, seed=0).model
    assert isinstance(model, RecentModel)
    part_P = learner._parts(windows[-1].past, RECIPE)
    scored = [learner._scorer(window, part_P, RECIPE) for window in windows]

    def ndcg(learned: Learned) -> float:
        shares = [len(window.validation.users) for window in windows]
        return float(np.average([score(learned) for score in scored], weights=shares))

    assert ndcg(model.learned) == pytest.approx(model.validation)
    for others in learner._choices(RECIPE):
        assert max(map(ndcg, others(model.learned))) <= model.validation + 1e-9


def test_a_large_catalogue_has_sparse_floors_alone() -> None:
    names = [floor.name for floor in floor_recipes(Settings(), 20_000)]
    assert names == list(Settings().floors)
    assert [floor.name for floor in floor_recipes(Settings(), 20_001)] == [n for n in names if n != "ease_text_recent"]
    assert [floor.name for floor in floor_recipes(Settings(floors=("ease_text",)), 20_001)] == ["text_knn_recent"]


def test_a_part_weighs_as_much_as_it_helps() -> None:
    """Texts that say which items are of one kind count; pictures that nobody has do not, and cost nothing."""
    random = np.random.default_rng(0)
    kind_I = np.arange(40) % 4
    pairs: dict[tuple[int, int], int] = {}
    for day in range(60):
        for user in range(day % 3, 30, 3):
            pairs.setdefault((user, int(random.choice(np.flatnonzero(kind_I == user % 4)))), day)
    made = timed(list(pairs), list(pairs.values()), 30, 40)
    text_IT = (np.eye(6)[kind_I] + 0.01 * random.normal(size=(40, 6))).astype(np.float32)
    made = dataclasses.replace(made, text_IT=text_IT, text_present_I=np.ones(40, np.bool_))
    few = {"window_users": 8, "window_share": 0.5}
    model = fit(made, dataclasses.replace(multimodal_knn_recent(), **few), seed=0).model
    alone = fit(made, dataclasses.replace(item_knn_recent(), **few), seed=0).model
    assert isinstance(model, RecentModel) and isinstance(alone, RecentModel)
    assert model.learned.weights[1] > 0 and model.validation >= alone.validation
