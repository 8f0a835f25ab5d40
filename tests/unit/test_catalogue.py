"""A catalogue: what is kept of a model ranks a history as the model ranks the user who has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models import families
from recsys_jobs.models.closed_form.recipe import popularity
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.models.sequence.catalogue import RECIPE, Catalogue, History, best_for, pack, recipe_in, unpack
from recsys_jobs.models.sequence.learner import CATALOGUE
from recsys_jobs.models.sequence.recipe import SequenceRecipe
from recsys_jobs.models.sequence.time_features import DAY
from recsys_jobs.ranking.top_k import top_k
from tests.unit.worlds import with_everything

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {"width": 8, "feed_width": 8, "batch": 64, "max_epochs": 2}
over_sequences = pytest.mark.parametrize("name", ["sasrec", "gated_sequence", "temporal_gpt2"])


def timed() -> Dataset:
    """A random world whose events are a day apart and have stars, without validation."""
    data = with_everything(validation=0)
    return replace(data, time_E=16_000 * DAY + np.arange(len(data.event_user_E)) * DAY)


def tiny(name: str) -> Any:
    return replace(get_recipe(name), **SMALL)  # type: ignore[arg-type]


def catalogue_of(model: Any, chosen: SequenceRecipe) -> Catalogue:
    """Packed, written, read and unpacked, as a command does it."""
    tensors = safetensors.torch.load(safetensors.torch.save(pack(model.weights(), chosen)))
    found = recipe_in(tensors)
    return unpack(tensors, families.sequence_family(found), found)


def history_of(data: Dataset, user: int) -> History:
    own = data.event_user_E == user
    return History(data.event_item_E[own], data.time_E[own], data.rating_E[own])


def items_alone(*items: int) -> History:
    return History(np.array(items, np.int64), np.full(len(items), -1), np.full(len(items), np.nan, np.float32))


@over_sequences
def test_a_history_is_ranked_as_its_user_is(name: str) -> None:
    data = timed()
    model = families.fit(data, tiny(name), seed=0, epochs=2).model
    (slates,) = top_k(model, data, 5)
    catalogue = catalogue_of(model, tiny(name))
    for user in (0, 7, 29):
        item_K, score_K = best_for(catalogue, history_of(data, user), int(data.time_E.max()), 5)
        assert item_K.tolist() == slates.item_BK[user].tolist()
        assert score_K == pytest.approx(slates.score_BK[user], abs=1e-4)


def test_when_it_is_asked_matters_to_the_one_that_knows_time() -> None:
    data = timed()
    catalogue = catalogue_of(families.fit(data, tiny("temporal_gpt2"), seed=0, epochs=2).model, tiny("temporal_gpt2"))
    last = int(data.time_E.max())
    spring, autumn = (best_for(catalogue, history_of(data, 0), last + days * DAY, 15)[1] for days in (0, 180))
    assert np.abs(spring - autumn).max() > 1e-3


def test_what_was_had_is_not_shown_again_and_places_end_where_items_do() -> None:
    model = families.fit(timed(), tiny("sasrec"), seed=0, epochs=1).model
    item_K, _ = best_for(catalogue_of(model, tiny("sasrec")), items_alone(*range(17)), -1, 10)
    assert sorted(item_K.tolist()) == [17, 18, 19]


def test_a_history_of_nothing_known_has_no_places() -> None:
    model = families.fit(timed(), tiny("sasrec"), seed=0, epochs=1).model
    catalogue = catalogue_of(model, tiny("sasrec"))
    catalogue.item_ID[3] = 0
    assert best_for(catalogue, items_alone(3), -1, 5)[0].tolist() == []
    assert best_for(catalogue, items_alone(), -1, 5)[0].tolist() == []


def test_other_families_have_none_and_another_version_is_said() -> None:
    data = timed()
    assert pack(families.fit(data, popularity(), seed=0).model.weights(), popularity()) == {}
    tensors = pack(families.fit(data, tiny("sasrec"), seed=0, epochs=1).model.weights(), tiny("sasrec"))
    assert tensors[CATALOGUE].shape == (20, 8)
    tensors[RECIPE] = torch.frombuffer(bytearray(b'{"name": "sasrec"}'), dtype=torch.uint8)
    with pytest.raises(JobError, match="sasrec is of another version"):
        recipe_in(tensors)
