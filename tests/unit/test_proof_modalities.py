"""What a modality is worth: nothing of one that is left out stays, and the rest is as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from proofs.modalities import LEFT_OUT, WITHOUT, recipe_without
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models import families
from recsys_jobs.models.recipes import RECIPES
from recsys_jobs.models.sage_fm.recipe import sage_fm
from recsys_jobs.models.sage_recent.recipe import sage_fm_recent
from tests.unit.test_families import TINY
from tests.unit.worlds import with_everything

pytestmark = pytest.mark.usefixtures("one_thread")


def there(data: Dataset) -> dict[str, bool]:
    text = data.text_present_I.any() or len(data.term_P) or (data.review_E >= 0).any()
    return {"text": bool(text), "image": bool(data.image_present_I.any()), "graph": bool(len(data.edge_src_K))}


@pytest.mark.parametrize("name", WITHOUT)
def test_of_what_is_left_out_nothing_stays_and_all_else_does(name: str) -> None:
    whole = with_everything()
    assert there(whole) == {"text": True, "image": True, "graph": True}
    left = WITHOUT[name](whole)
    assert there(left) == {"text": True, "image": True, "graph": True} | {name: False}
    assert np.array_equal(left.event_item_E, whole.event_item_E)


def test_a_graph_that_is_made_of_histories_is_left_out_by_its_layers() -> None:
    assert recipe_without(sage_fm_recent(), ("graph",)).layers == 0  # type: ignore[attr-defined]
    assert recipe_without(sage_fm_recent(), ("text",)) == sage_fm_recent()
    assert recipe_without(sage_fm(), ("graph",)) == sage_fm()  # its graph is that of the edges


@pytest.mark.parametrize("name", ["sage_fm", "sage_fm_recent"])
@pytest.mark.parametrize("row", LEFT_OUT)
def test_what_is_left_can_be_fitted(name: str, row: str) -> None:
    data = with_everything()
    for left_out in LEFT_OUT[row]:
        data = WITHOUT[left_out](data)
    recipe = recipe_without(replace(RECIPES[name](), **TINY[name]), LEFT_OUT[row])
    score_UI = families.fit(data, recipe, seed=0).model.score_block(torch.arange(len(data.users)))
    assert score_UI.isfinite().all()
