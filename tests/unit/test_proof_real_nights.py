"""Nights asked again: who and what is in a slice, people of several nights, and what a line says."""

from __future__ import annotations

import numpy as np

from proofs.real_nights import FLOOR, SliceResult, pool_nights, questions, table_rows
from tests.unit.test_slices import HOLDOUT, shop


def test_slices_ask_their_people_and_rank_their_items() -> None:
    """Users 1 and 2 have two events and one; items 1, 3 and 4 are new, and user 2 is asked for old ones."""
    slices = questions(shop(), HOLDOUT)
    assert slices["everyone"].holdout is HOLDOUT
    assert slices["few events"].holdout.user_T.tolist() == [1, 2, 2]
    assert slices["among new items"].holdout.item_T.tolist() == [4, 3]
    blocked = slices["among new items"].blocked_items
    assert blocked is not None
    assert blocked.tolist() == [0, 2, 5]


def test_a_person_of_two_nights_is_drawn_as_one() -> None:
    """Ann, of nine pairs in two nights, is ahead by 1 in each, Bob is level: an interval that swings with people."""
    first = SliceResult(["ann"] * 4 + ["bob"], {FLOOR: np.zeros(5), "ours": np.array([1.0] * 4 + [0.0])}, (FLOOR,))
    second = SliceResult(["ann"] * 5, {FLOOR: np.zeros(5), "ours": np.ones(5)}, (FLOOR,))
    nobody = SliceResult([], {}, (FLOOR,))
    both = pool_nights([first, nobody, second])
    assert both.person_N == ["ann"] * 4 + ["bob"] + ["ann"] * 5
    floor, ours = table_rows("everyone", both)
    assert floor == "| everyone | 10 | `the floor` | 0.0000 [0.0000, 0.0000] |  |"
    assert ours == "| everyone | 10 | `ours` | 0.9000 [0.0000, 1.0000] | +0.9000 [+0.0000, +1.0000] the floor |"


def test_a_slice_that_no_night_has_is_no_line() -> None:
    assert table_rows("few events", pool_nights([SliceResult([], {}, (FLOOR,))])) == []
