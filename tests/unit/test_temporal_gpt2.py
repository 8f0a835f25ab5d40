"""temporal_gpt2: that season, gap, stars and contents help where they were planted, and only by themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.top_k_evaluation import evaluate_top_k
from recsys_jobs.models.sequence.recipe import temporal_gpt2
from recsys_jobs.models.sequence.temporal_gpt2 import fit
from recsys_jobs.models.sequence.time_features import DAY
from tests.unit.worlds import dataset

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = replace(temporal_gpt2(), width=16, feed_width=32, blocks=1, batch=64, dropout=0.1, learning_rate=0.01)
USERS = 300


def timed(user_E: Ints, item_E: Ints, time_E: Ints, items: int, **changes: Any) -> Dataset:
    order = np.lexsort((item_E, time_E))
    pairs = list(zip(user_E[order].tolist(), item_E[order].tolist(), strict=True))
    return dataset(pairs, USERS, items, time_E=time_E[order], **{k: v[order] for k, v in changes.items()})


def seasons() -> tuple[Dataset, Holdout]:
    """Four years in which everyone buys at random times, of the ten items of the quarter; then a December.

    What people had says nothing of what they want next: the time alone does.
    """
    random = np.random.default_rng(0)
    time_UE = np.stack([random.choice(np.arange(4 * 365 - 20), 6, replace=False) for _ in range(USERS)]) * DAY
    quarter_UE = (time_UE / DAY / 365.25 * 4).astype(np.int64) % 4
    item_UE = np.array(
        [[10 * q + i for q, i in zip(quarters, random.permutation(10), strict=False)] for quarters in quarter_UE]
    )
    time_UE[0, 0], item_UE[0, 0] = (4 * 365 - 20) * DAY, 39  # the last event of all: 11 December
    data = timed(np.repeat(np.arange(USERS), 6), item_UE.ravel(), time_UE.ravel(), 40)
    owned = set(zip(data.event_user_E.tolist(), data.event_item_E.tolist(), strict=True))
    wanted = [next(i for i in 30 + random.permutation(10) if (user, int(i)) not in owned) for user in range(USERS)]
    return data, Holdout(np.arange(USERS), np.array(wanted))


def hit_rate(time: bool) -> float:
    data, holdout = seasons()
    model = fit(data, replace(TINY, time=time), seed=0, epochs=12)
    return float(evaluate_top_k(model, data, holdout, k_values=[10]).per_user("hit_rate", 10).mean())


def test_time_helps_where_people_buy_by_the_season() -> None:
    """A quarter of the catalogue is in season: who knows the date finds it, who does not has one chance in four."""
    with_time, without = hit_rate(time=True), hit_rate(time=False)
    assert with_time > 0.9
    assert without < 0.5


def second_choice(told: np.ndarray, user_E: Ints) -> Ints:
    """Items 0 to 9 first; then of 10 to 19 for those who are `told`, of 20 to 29 for the others."""
    random = np.random.default_rng(1)
    return np.where(told, random.integers(10, 20, len(user_E)), random.integers(20, 30, len(user_E)))


def share_right(data: Dataset, recipe: Any, wanted: np.ndarray) -> float:
    """Of the users without a second event, how many get the right kind on average."""
    score_UI = fit(data, recipe, seed=0, epochs=20).score_block(torch.arange(USERS))
    found = score_UI[:, 10:20].mean(1) > score_UI[:, 20:].mean(1)
    single = np.bincount(data.event_user_E, minlength=USERS) == 1
    return float((found.numpy() == wanted)[single].mean())


def stars() -> tuple[Dataset, np.ndarray]:
    """Who liked the first thing takes one kind next, who did not the other; of some the second is still to come."""
    random = np.random.default_rng(0)
    liked_U = random.random(USERS) < 0.5
    first_I, second_U = random.integers(0, 10, USERS), np.arange(USERS - 40)
    item_E = np.append(first_I, second_choice(liked_U[second_U], second_U))
    rating_E = np.append(np.where(liked_U, 5, 1), np.full(len(second_U), 3)).astype(np.float32)
    time_E = np.append(np.arange(USERS), USERS + second_U) * DAY
    return timed(np.append(np.arange(USERS), second_U), item_E, time_E, 30, rating_E=rating_E), liked_U


def test_stars_of_what_came_before_help() -> None:
    data, liked_U = stars()
    assert share_right(data, replace(TINY, time=False), liked_U) > 0.9
    assert share_right(data, replace(TINY, time=False, stars=False), liked_U) < 0.8


def gaps() -> tuple[Dataset, np.ndarray]:
    """Who comes back within days takes one kind, who comes back after a year the other."""
    random = np.random.default_rng(0)
    soon_U = random.random(USERS) < 0.5
    first_I, second_U = random.integers(0, 10, USERS), np.arange(USERS - 40)
    end = 3_000
    begun_U = random.integers(0, 2_000, USERS)
    begun_U[USERS - 40 :] = np.where(soon_U[USERS - 40 :], end - 3, end - 400)
    later_U = (begun_U + np.where(soon_U, random.integers(1, 6, USERS), random.integers(350, 450, USERS)))[second_U]
    item_E = np.append(first_I, second_choice(soon_U[second_U], second_U))
    item_E[-1], later_U[-1] = (15 if soon_U[second_U[-1]] else 25), end
    begun_U[second_U[-1]] = end - (3 if soon_U[second_U[-1]] else 400)
    time_E = np.append(begun_U, later_U) * DAY
    return timed(np.append(np.arange(USERS), second_U), item_E, time_E, 30), soon_U


def test_the_gap_since_the_last_event_helps() -> None:
    data, soon_U = gaps()
    assert share_right(data, TINY, soon_U) > 0.9
    assert share_right(data, replace(TINY, time=False), soon_U) < 0.8


def places() -> tuple[Dataset, np.ndarray]:
    """Who asks from one town takes one kind, who asks from the other the other."""
    random = np.random.default_rng(0)
    seaside_U = random.random(USERS) < 0.5
    first_I, second_U = random.integers(0, 10, USERS), np.arange(USERS - 40)
    user_E = np.append(np.arange(USERS), second_U)
    item_E = np.append(first_I, second_choice(seaside_U[second_U], second_U))
    town_E = np.where(seaside_U, 1_234_567, 7_654_320)[user_E]
    return timed(user_E, item_E, np.arange(len(user_E)) * DAY, 30, location_E=town_E), seaside_U


def test_where_it_is_asked_from_helps() -> None:
    data, seaside_U = places()
    assert share_right(data, replace(TINY, time=False), seaside_U) > 0.9
    assert share_right(data, replace(TINY, time=False, place_columns=0), seaside_U) < 0.8


def test_it_is_the_size_that_its_recipe_says() -> None:
    from recsys_jobs.models.sequence.temporal_gpt2 import Body

    config = Body(replace(TINY, blocks=3, heads=4, length=7)).decoder.config
    assert (config.n_embd, config.n_layer, config.n_head, config.n_inner, config.n_positions) == (16, 3, 4, 32, 7)
