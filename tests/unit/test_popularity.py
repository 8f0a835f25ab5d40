"""The models that know nothing of a person: popularity, and noise."""

from __future__ import annotations

import numpy as np
import torch

from recsys_jobs.models.closed_form import popularity, random_scores
from recsys_jobs.ranking.top_k import top_k
from tests.unit.worlds import dataset

DATA = dataset([(0, 2), (1, 2), (0, 1), (1, 3), (2, 2)], 3, 4, validation=2, in_core_E=np.ones(5, np.bool_))


def test_popularity_counts_everyone_who_had_an_item_held_out_or_not() -> None:
    model = popularity.fit(DATA)
    assert model.score_block(torch.tensor([0, 2])).tolist() == [[0, 1, 3, 1], [0, 1, 3, 1]]


def test_the_popular_slate_lacks_what_its_user_has() -> None:
    (slates,) = top_k(popularity.fit(DATA), DATA, 2)
    assert slates.item_BK.tolist() == [[3, 0], [1, 0], [1, 3]]


def test_popularity_survives_being_stored() -> None:
    again = popularity.load(popularity.fit(DATA).weights(), DATA)
    assert again.score_block(torch.tensor([1])).tolist() == [[0, 1, 3, 1]]


def test_noise_depends_on_seed_and_pair_alone() -> None:
    model = random_scores.fit(DATA, seed=1)
    everyone = model.score_block(torch.arange(3))
    assert torch.equal(model.score_block(torch.tensor([2])), everyone[2:])
    assert torch.equal(random_scores.load(model.weights(), DATA).score_block(torch.arange(3)), everyone)
    assert not torch.equal(random_scores.fit(DATA, seed=2).score_block(torch.arange(3)), everyone)


def test_noise_is_uniform_and_alike_for_no_two_users() -> None:
    score_UI = random_scores.RandomModel(2_000, 0).score_block(torch.arange(50))
    assert abs(float(score_UI.mean()) - 0.5) < 0.01
    assert abs(float(score_UI.std()) - 12**-0.5) < 0.01
    assert float(torch.corrcoef(score_UI).fill_diagonal_(0).abs().max()) < 0.12
