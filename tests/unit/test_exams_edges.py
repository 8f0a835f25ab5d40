"""Edges by sparse products are those of the small reference."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_jobs.data.co_review_edges import co_review_edges
from tests.snapshot_rules import co_review_edges as reference_edges


@given(seed=st.integers(0, 10_000), history=st.integers(1, 6), per_item=st.integers(1, 4))
@settings(deadline=None)
def test_the_reference_agrees(seed: int, history: int, per_item: int) -> None:
    random = np.random.default_rng(seed)
    users, items = int(random.integers(1, 7)), int(random.integers(1, 9))
    cells = random.permutation(users * items)[: int(random.integers(0, users * items + 1))]
    src, dst, weight = co_review_edges(cells // items, cells % items, items, history, per_item)
    found = dict(zip(zip(src.tolist(), dst.tolist(), strict=True), weight.tolist(), strict=True))
    assert found == reference_edges(cells // items, cells % items, history, per_item)
