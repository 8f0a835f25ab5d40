"""SLIM over neighbours: EASE where every item is a neighbour, sparse where few are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_jobs.models.closed_form import ease_text
from recsys_jobs.models.closed_form.recipe import ease
from recsys_jobs.models.slim.learner import fit
from recsys_jobs.models.slim.recipe import slim
from tests.unit.worlds import dataset, two_tastes

# cup and saucer go together, and both with spoon; nobody had the plate
CUP, SAUCER, SPOON, PLATE = range(4)
EVENTS = [(0, CUP), (0, SAUCER), (1, CUP), (1, SAUCER), (1, SPOON), (2, CUP), (2, SPOON)]


def test_the_weights_of_three_people_by_hand() -> None:
    """G is 3 2 2, 2 2 1, 2 1 2 by cup, saucer, spoon; with ridge 1, w_cup solves 3 1, 1 3 for 2, 2."""
    recipe = replace(slim(), ridge=1.0)
    weight_II = fit(dataset(EVENTS, 3, 4), recipe).weight_II.toarray()
    assert weight_II[:, CUP] == pytest.approx([0, 1 / 2, 1 / 2, 0])
    assert weight_II[:, SAUCER] == pytest.approx([1 / 2, 0, 0, 0], abs=1e-6)  # 4 2, 2 3 for 2, 1
    assert not weight_II[PLATE].any() and not weight_II[:, PLATE].any()


@given(seed=st.integers(0, 1_000), ridge=st.sampled_from([1.0, 10.0, 100.0]))
@settings(max_examples=25, deadline=None)
def test_with_every_item_a_neighbour_it_is_ease(seed: int, ridge: float) -> None:
    had_UI = np.random.default_rng(seed).random((30, 6)) < 0.7
    had_UI[0] = True  # somebody had both of any two
    data = dataset([(int(user), int(item)) for user, item in np.argwhere(had_UI)], 30, 6)
    ours = fit(data, replace(slim(), ridge=ridge))
    theirs = ease_text.fit(data, replace(ease(), ridge=ridge))
    assert np.allclose(ours.weight_II.toarray(), theirs.weight_II.toarray(), atol=1e-4)


def test_an_item_has_so_many_neighbours_at_most_and_never_itself() -> None:
    weight_II = fit(two_tastes(), replace(slim(), neighbours=5)).weight_II
    assert (np.diff(weight_II.tocsc().indptr) <= 5).all()
    assert not weight_II.diagonal().any()
