"""gated_sequence and what it shares with temporal_gpt2: contents carry new items, the gate, what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models import families
from recsys_jobs.models.sequence.gated_sequence import Body, GatedItems, fit, load
from recsys_jobs.models.sequence.item_features import ItemParts
from recsys_jobs.models.sequence.recipe import gated_sequence, temporal_gpt2
from recsys_jobs.ranking.top_k import top_k
from tests.unit.worlds import dataset, new_arrivals, with_everything

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = {"width": 16, "feed_width": 16, "blocks": 1, "batch": 128, "dropout": 0.1, "learning_rate": 0.01}
TINY, TEMPORAL = replace(gated_sequence(), **SMALL), replace(temporal_gpt2(), **SMALL)


def share_of_new_items_told_apart(recipe: Any, modality: str) -> float:
    """Of users, how many give the new items of their taste higher scores on average than the others."""
    data = new_arrivals(modality)
    score_UI = families.fit(data, recipe, seed=0, epochs=8).model.score_block(torch.arange(120))[:, -10:]
    right_UI = torch.arange(120)[:, None] % 2 == torch.arange(10) % 2
    own, other = ((score_UI * kind).sum(1) for kind in (right_UI, ~right_UI))
    return float((own > other + 1e-6).float().mean())


@pytest.mark.parametrize(
    ("recipe", "modality"),
    [(TINY, "text"), (TINY, "image"), (TEMPORAL, "text"), (TEMPORAL, "image"), (TEMPORAL, "numbers")],
    ids=lambda value: getattr(value, "name", value),
)
def test_contents_tell_what_nobody_had_yet(recipe: Any, modality: str) -> None:
    assert share_of_new_items_told_apart(recipe, modality) > 0.95


@pytest.mark.parametrize("recipe", [TINY, TEMPORAL], ids=lambda recipe: recipe.name)
def test_without_contents_new_items_are_all_alike(recipe: Any) -> None:
    assert share_of_new_items_told_apart(recipe, "nothing") == 0


@pytest.mark.parametrize("recipe", [TINY, TEMPORAL], ids=lambda recipe: recipe.name)
def test_a_shelf_of_what_nobody_buys_does_not_crowd_out_what_sells(recipe: Any) -> None:
    """Two hundred more items of random texts, none of them ever had."""
    data, random = new_arrivals("nothing"), np.random.default_rng(0)
    text_IT = random.normal(size=(240, 4)).astype(np.float32)
    full = dataset(
        list(zip(data.event_user_E.tolist(), data.event_item_E.tolist(), strict=True)),
        120,
        240,
        text_IT=text_IT,
        text_present_I=np.ones(240, np.bool_),
        review_RT=np.zeros((0, 4), np.float32),
    )
    model = families.fit(full, recipe, seed=0, epochs=8).model
    shown = np.concatenate([slates.item_BK.ravel() for slates in top_k(model, full, 5)])
    assert (shown < 30).mean() > 0.9


def two_contents() -> Dataset:
    """Item 0 has a text, item 1 an image, item 2 both, item 3 neither."""
    random = np.random.default_rng(0)
    return dataset(
        [(0, 0), (0, 2), (1, 1)],
        2,
        4,
        text_IT=random.normal(size=(4, 6)).astype(np.float32),
        text_present_I=np.array([True, False, True, False]),
        image_IV=random.normal(size=(4, 5)).astype(np.float32),
        image_present_I=np.array([False, True, True, False]),
    )


def test_content_is_the_mean_of_what_there_is() -> None:
    parts = ItemParts(two_contents(), TINY, np.ones(4, np.bool_)).eval()
    text, image = parts.projections["text"](parts.text_IW), parts.projections["image"](parts.image_IW)
    found = parts.content(torch.arange(4))
    assert found.present_B.tolist() == [True, True, True, False]
    expected = torch.stack([text[0], image[1], (text[2] + image[2]) / 2, torch.zeros(16)])
    assert torch.allclose(found.vector_BD, expected, atol=1e-6)


def test_the_gate_weighs_identity_against_content_and_neither_is_missed_where_it_is_not() -> None:
    tower = GatedItems(two_contents(), TINY, np.array([True, False, True, False])).eval()
    with torch.no_grad():
        tower.gate.weight.zero_()
        tower.gate.bias.fill_(float(np.log(3)))  # sigmoid: identity counts three quarters
    vector = tower(torch.arange(4))
    identity, content = tower.item_ID, tower.content(torch.arange(4)).vector_BD
    unit = torch.nn.functional.normalize
    assert torch.allclose(vector[2], unit(0.75 * identity[2] + 0.25 * content[2], dim=0), atol=1e-6)
    assert torch.allclose(vector[1], unit(content[1], dim=0), atol=1e-6)
    assert not vector[3].any()


def test_some_items_lose_their_row_in_training_alone() -> None:
    tower = GatedItems(with_everything(), replace(TINY, identity_dropout=0.5), np.ones(20, np.bool_))
    torch.manual_seed(0)
    assert 0 < tower.identity(torch.arange(20)).present_B.sum() < 20
    assert tower.eval().identity(torch.arange(20)).present_B.all()


def test_interest_is_of_one_length_so_that_scores_are_cosines() -> None:
    body = Body(replace(TINY, temperature=0.1)).eval()
    hidden = body(torch.randn(3, 5, 16), torch.zeros(3, 5, 0))
    assert torch.allclose(hidden.norm(dim=-1), torch.full((3, 5), 10.0), atol=1e-4)
    model = fit(with_everything(), replace(TINY, temperature=0.1), seed=0, epochs=1)
    assert model.score_block(torch.arange(30)).abs().max() <= 10.001


def test_over_a_later_dataset_a_new_item_is_known_by_its_content() -> None:
    early = two_contents()
    fitted = fit(replace(early, items=["b", "c", "d", "e"]), TINY, seed=0, epochs=1)
    later = two_contents()
    text_IT = np.vstack([later.text_IT[2:3], later.text_IT])
    five = dataset(
        [(0, 1), (0, 3), (1, 2)],
        2,
        5,
        text_IT=text_IT,
        text_present_I=np.append(True, later.text_present_I),
        image_IV=np.vstack([later.image_IV[:1], later.image_IV]),
        image_present_I=np.append(False, later.image_present_I),
    )
    again = load(fitted.weights(), replace(five, items=["a", "b", "c", "d", "e"]), TINY).item_vectors()
    assert again is not None
    assert torch.allclose(again[1:4], fitted.item_vectors()[:3], atol=1e-6)
    assert not torch.allclose(again[0], again[1], atol=1e-2)


def test_weights_of_other_widths_are_said() -> None:
    weights = fit(with_everything(), TINY, seed=0, epochs=1).weights()
    wider = replace(with_everything(), image_IV=np.zeros((20, 7), np.float32))
    with pytest.raises(JobError, match="do not fit recipe gated_sequence"):
        load(weights, wider, TINY)
