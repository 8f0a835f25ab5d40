"""The k-core of pairs of a user and an item, whose users and items are integer codes. E pairs."""

from __future__ import annotations

import numpy as np

from recsys_jobs.data.dataset import Bools, Ints


def k_core(user_E: Ints, item_E: Ints, user_core: int, item_core: int) -> Bools:
    """The largest set of pairs in which each user has `user_core` items and each item `item_core` users."""
    in_core_E = np.ones(len(user_E), dtype=bool)
    while True:
        before = in_core_E.sum()
        in_core_E &= _degree(user_E, in_core_E) >= user_core
        in_core_E &= _degree(item_E, in_core_E) >= item_core
        if in_core_E.sum() == before:
            return in_core_E


def _degree(code_E: Ints, in_core_E: Bools) -> Ints:
    """Return how many pairs of the core each event's user, or item, has [E]."""
    codes = code_E.max(initial=-1) + 1
    return np.bincount(code_E[in_core_E], minlength=codes)[code_E]
