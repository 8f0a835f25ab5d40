"""Attention over IDs and contents: each modality is found, what is missing is left out, vision meets language."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.attention import pair_scores
from recsys_jobs.models.attention.learner import AttentionLearner, fit, load
from recsys_jobs.models.attention.network import AttentionNetwork, Contents
from recsys_jobs.models.attention.recipe import AttentionRecipe, attention_contrastive, attention_towers
from recsys_jobs.torch_common.losses import clip
from recsys_jobs.training.learner import event_split
from tests.unit.worlds import dataset, with_everything

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = {"width": 8, "heads": 2, "hidden": 16, "min_batch": 32, "learning_rate": 0.02, "warmup_epochs": 0}
RECIPES = [
    replace(attention_contrastive(), **TINY, steps_per_epoch=12),
    replace(attention_towers(), **TINY, steps_per_epoch=12),
]
both = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
ITEMS, NEW = 50, 10


def kinds_of_items(shown_by: str) -> Dataset:
    """Return a world of two tastes whose last ten items nobody had; what kind an item is shows in one modality."""
    random = np.random.default_rng(0)
    pairs = [
        (user, int(item))
        for user in range(60)
        for item in random.choice(np.arange(user % 2, ITEMS - NEW, 2), 8, replace=False)
    ]
    kind = np.arange(ITEMS) % 2
    look = (np.eye(2)[kind] + random.normal(size=(ITEMS, 2)) * 0.1).astype(np.float32)
    everywhere = np.ones(ITEMS, np.bool_)
    prices = np.stack([np.exp(3 * kind + random.normal(size=ITEMS) * 0.3), np.ones(ITEMS)], axis=1)
    shown = {
        "text": {"text_IT": np.pad(look, ((0, 0), (0, 4))), "text_present_I": everywhere},
        "image": {"image_IV": look, "image_present_I": everywhere},
        "numeric": {"numeric_IN": prices.astype(np.float32)},
        "nowhere": {},
    }
    return dataset(pairs, 60, ITEMS, **shown[shown_by])


def new_items_told_apart(recipe: AttentionRecipe, data: Dataset) -> float:
    """Return how often a new item of a user's taste scores above a new one of the other taste."""
    model = fit(data, recipe, seed=0, epochs=12)
    score_UN = model.score_block(torch.arange(60))[:, -NEW:]
    even_UN, odd_UN = score_UN[:, 0::2], score_UN[:, 1::2]
    better = (even_UN[:, :, None] > odd_UN[:, None]).float().mean((1, 2))
    return float(torch.where(torch.arange(60) % 2 == 0, better, 1 - better).mean())


@both
@pytest.mark.parametrize("shown_by", ["text", "image", "numeric"])
def test_what_an_item_shows_is_learned(recipe: AttentionRecipe, shown_by: str) -> None:
    assert new_items_told_apart(recipe, kinds_of_items(shown_by)) > 0.95


@both
def test_where_nothing_shows_nothing_is_told_of_new_items(recipe: AttentionRecipe) -> None:
    assert 0.4 < new_items_told_apart(recipe, kinds_of_items("nowhere")) < 0.6


def network_of(data: Dataset, recipe: AttentionRecipe) -> AttentionNetwork:
    torch.manual_seed(0)
    met = np.ones(len(data.users), np.bool_), np.ones(len(data.items), np.bool_)
    network = AttentionNetwork(recipe, *met, Contents(data).widths)
    network.start(data, Contents(data), met[1])
    return network.eval()


def test_one_pair_by_hand_with_torchs_own_attention() -> None:
    """The same weights in nn.MultiheadAttention, over the tokens that are present, give the same score."""
    data, recipe = with_everything(), RECIPES[0]
    network, contents = network_of(data, recipe), Contents(data)
    item = int(np.flatnonzero(data.text_present_I & ~data.image_present_I)[0])
    peer = torch.nn.MultiheadAttention(recipe.width, recipe.heads, batch_first=True)
    peer.load_state_dict(
        {
            "in_proj_weight": network.queries_keys_values.weight,
            "in_proj_bias": network.queries_keys_values.bias,
            "out_proj.weight": network.mix.weight,
            "out_proj.bias": network.mix.bias,
        }
    )
    with torch.no_grad():
        words = network.projections["text"](contents.text[item])
        tokens = [network.user_UD[3] + network.kinds["user"], network.item_ID[item] + network.kinds["item"], words]
        x_1MD = torch.stack(tokens)[None]
        normed = network.norm(x_1MD)
        y_MD = (x_1MD + peer(normed, normed, normed)[0])[0]
        shown_D = y_MD[1:].mean(0)
        by_hand = y_MD[0] @ shown_D + network.readout(torch.cat([y_MD[0], shown_D])[None])[0, 0]
        users, items = network.users(network.user_UD[[3]]), network.items(contents, torch.tensor([item]))
        assert torch.allclose(network.pair_scores(users, items)[0], by_hand, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_all_pairs_at_once_score_as_each_pair_does(heads: int) -> None:
    """Large weights, so that attention decides; items with and without words, looks and numbers."""
    data = with_everything()
    network, contents = network_of(data, replace(RECIPES[0], heads=heads)), Contents(data)
    user_N, item_N = torch.cartesian_prod(torch.arange(len(data.users)), torch.arange(len(data.items))).T
    with torch.no_grad():
        network.queries_keys_values.weight *= 5
        items = network.items(contents, torch.arange(len(data.items)))
        assert len(items.present_NM.unique(dim=0)) > 2
        each = network.pair_scores(network.users(network.user_UD[user_N]), network.items(contents, item_N))
        users = pair_scores.user_side(network, network.users(network.user_UD))
        at_once = pair_scores.scores(network, users, pair_scores.item_side(network, items))
    assert torch.allclose(at_once.flatten(), each, rtol=1e-4, atol=1e-4)


@both
def test_a_missing_content_changes_nothing_whatever_stands_in_its_place(recipe: AttentionRecipe) -> None:
    data = with_everything()
    absurd = np.where(data.image_present_I[:, None], data.image_IV, 1e3).astype(np.float32)
    there = fit(data, replace(recipe, max_epochs=2), seed=0, epochs=2)
    network = load(there.weights(), replace(data, image_IV=absurd), recipe)
    assert torch.equal(network.score_block(torch.arange(30)), there.score_block(torch.arange(30)))


def test_the_contrast_brings_an_items_words_and_looks_together() -> None:
    """Vision and language vectors that say the same in other coordinates meet in the common space, or do not."""
    random = np.random.default_rng(0)
    meaning = random.normal(size=(20, 5)).astype(np.float32)
    turned = np.linalg.qr(random.normal(size=(5, 5)))[0].astype(np.float32)
    everywhere = np.ones(20, np.bool_)
    data = replace(
        with_everything(),
        text_IT=np.pad(meaning, ((0, 0), (0, 1))),
        image_IV=meaning @ turned,
        text_present_I=everywhere,
        image_present_I=everywhere,
    )

    def found_among_all(contrast: float) -> float:
        recipe = replace(RECIPES[0], contrast=contrast, max_epochs=20)
        learner = AttentionLearner(data, recipe, event_split(data, 20), torch.device("cpu"))
        model = fit(data, recipe, seed=0, epochs=20)
        network = load(model.weights(), data, recipe).network
        everything = torch.arange(20)
        with torch.no_grad():
            words, looks = (network.content(learner.contents, name, everything)[0] for name in ("text", "image"))
        cosine = functional.normalize(words, dim=1) @ functional.normalize(looks, dim=1).T
        return float((cosine.argmax(1) == everything).float().mean())

    assert found_among_all(contrast=1.0) > 0.8
    assert found_among_all(contrast=0.0) < 0.4


def test_clips_loss_by_hand() -> None:
    one = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    other = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    logits = torch.tensor([[1.0, 0.5**0.5], [0.0, 0.5**0.5]]) / 0.5
    rows = -(logits[0, 0] - logits[0].logsumexp(0)) - (logits[1, 1] - logits[1].logsumexp(0))
    columns = -(logits[0, 0] - logits[:, 0].logsumexp(0)) - (logits[1, 1] - logits[:, 1].logsumexp(0))
    assert torch.allclose(clip(one, other, 0.5), (rows + columns) / 4)
    assert clip(one[:1], other[:1], 0.5) == 0


def test_weights_of_another_encoder_are_refused() -> None:
    data = with_everything()
    model = fit(data, RECIPES[1], seed=0, epochs=1)
    with pytest.raises(JobError, match="do not fit recipe attention_towers"):
        load(model.weights(), replace(data, image_IV=np.zeros((20, 7), np.float32)), RECIPES[1])
