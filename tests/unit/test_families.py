"""One exam for every recipe. To enrol one, give it a line in `TINY`: what makes it small, nothing where it is."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from recsys_jobs import models
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.top_k_evaluation import evaluate_top_k
from recsys_jobs.models.blend.recipe import BlendRecipe
from recsys_jobs.models.families import Fitted, fit, load
from recsys_jobs.models.folded_model import fold, unfold
from recsys_jobs.models.recipes import FAMILIES, FOLDERS, RECIPES, get_recipe
from recsys_jobs.ranking.top_k import top_k
from recsys_jobs.training.recipe import Recipe, is_iterative
from tests.unit.worlds import dataset, rated_tastes, two_tastes, with_everything, without_validation

pytestmark = pytest.mark.usefixtures("one_thread")

EPOCHS = 20
FEW = {"width": 8, "min_batch": 32, "steps_per_epoch": 6, "max_epochs": EPOCHS}
SAGE = FEW | {"graph_width": 8, "fm_rank": 4, "learning_rate": 0.02, "node_learning_rate": 0.02}
SEQUENCE = {"width": 8, "feed_width": 8, "dropout": 0.1, "batch": 64, "learning_rate": 0.02, "max_epochs": EPOCHS}
TINY: dict[str, dict[str, Any]] = {
    "random": {},
    "popularity": {},
    "popularity_recent": {},
    "item_knn": {},
    "item_cosine": {},
    "item_knn_recent": {},
    "text_knn_recent": {},
    "multimodal_knn_recent": {},
    "image_kernel": {},
    "ease_text_recent": {},
    "user_knn": {},
    "text_knn": {},
    "text_kernel": {},
    "ease": {},
    "slim": {},
    "ease_text": {},
    "bpr_mf": FEW | {"learning_rate": 0.05, "l2": 0.01},
    "lightgcn": FEW | {"learning_rate": 0.02},
    "sage_fm_softmax": FEW | {"learning_rate": 0.02, "min_batch": 16},
    "sage_fm_recent": {key: value for key, value in FEW.items() if key != "min_batch"}
    | {"learning_rate": 0.02, "recent_share": 0.7},
    "sasrec": SEQUENCE,
    "gated_sequence": SEQUENCE,
    "temporal_gpt2": SEQUENCE,
    "ncf_rating": {"width": 8, "hidden": (16, 8), "batch": 64, "learning_rate": 0.02, "max_epochs": EPOCHS},
    "attention_contrastive": FEW | {"heads": 2, "hidden": 16, "learning_rate": 0.02, "warmup_epochs": 0},
    "attention_towers": FEW | {"heads": 2, "hidden": 16, "learning_rate": 0.02, "warmup_epochs": 0},
    "sage_fm_seed": SAGE,
    "sage_fm": SAGE,
    "sage_fm_text_graph": SAGE,
    "recent_sage": {},
    "ease_sage": {},
    "ease_kernel_sage": {},
    "ease_kernel": {},
    "ease_lightgcn_sage": {},
    "ease_lightgcn": {},
    "sequence_sage": {},
    "sequence_kernel": {},
}
RATERS = ("ncf_rating",)  # which learn from stars alone, and so need what people did not like
BLENDS = [name for name in TINY if isinstance(get_recipe(name), BlendRecipe)]
UNFOLDED = ("ncf_rating", "attention_contrastive", *BLENDS)  # between user and item stands more than an inner product
IMPERSONAL = ("random", "popularity", "popularity_recent", "text_kernel", "image_kernel")
NEURAL = [name for name in TINY if is_iterative(get_recipe(name))]
# mean NDCG at 10 of random slates: one of 35 items is wanted; who knows the taste has 15 to guess from
NOISE = sum(1 / np.log2(rank + 1) for rank in range(1, 11)) / 35
every = pytest.mark.parametrize("name", sorted(TINY))
every_personal = pytest.mark.parametrize("name", sorted(set(TINY) - set(IMPERSONAL)))
every_neural = pytest.mark.parametrize("name", NEURAL)
every_folded = pytest.mark.parametrize("name", sorted(set(NEURAL) - set(UNFOLDED)))


def tiny(name: str, **changes: Any) -> Any:
    made = get_recipe(name)
    if isinstance(made, BlendRecipe):
        return dataclasses.replace(
            made, parts=tuple((weight, _tiny_part(part, changes)) for weight, part in made.parts)
        )
    return dataclasses.replace(made, **TINY[name] | changes)


def _tiny_part(part: Recipe, changes: dict[str, Any]) -> Any:
    return dataclasses.replace(part, **TINY[part.name] | (changes if is_iterative(part) else {}))


def brief(name: str) -> Any:
    """The recipe in two epochs, where it takes any."""
    return tiny(name, max_epochs=2) if name in NEURAL else tiny(name)


@cache
def tastes(stars: bool) -> tuple[Dataset, Holdout]:
    """The checkerboard before everyone's last event, which is the holdout."""
    data = rated_tastes() if stars else two_tastes()
    held = data.validation_E
    return without_validation(data), Holdout(data.event_user_E[held], data.event_item_E[held])


@cache
def fitted(name: str) -> Fitted:
    """The model of the checkerboard, for all the epochs that its recipe allows."""
    return fit(tastes(name in RATERS)[0], tiny(name), seed=0, epochs=EPOCHS if name in NEURAL else None)


@cache
def briefly(name: str) -> Fitted:
    return fit(with_everything(), brief(name), seed=0)


def share_told_apart(name: str) -> float:
    """Return the share of users who get higher scores for their own taste's items than for the others, on average."""
    score_UI = fitted(name).model.score_block(torch.arange(80))
    right_UI = torch.arange(80)[:, None] % 2 == torch.arange(40) % 2
    return float(((score_UI * right_UI).sum(1) > (score_UI * ~right_UI).sum(1)).float().mean())


def test_every_recipe_is_enrolled() -> None:
    others = {"sage_fm_debug", "sage_fm_end_to_end", "sage_fm_end_to_end_small"}  # sage_fm made small; raw contents
    assert set(TINY) == set(RECIPES) - others


def test_every_folder_is_registered_and_fits_what_it_names() -> None:
    folders = {path.parent.name for path in Path(models.__file__).parent.glob("*/recipe.py")}
    assert folders == set(FOLDERS)
    assert {place.split(".")[2] for place in FAMILIES.values()} == folders
    assert {name: make().name for name, make in RECIPES.items()} == {name: name for name in RECIPES}
    assert {make().family for make in RECIPES.values()} == set(FAMILIES)


@every_personal
def test_two_tastes_are_told_apart(name: str) -> None:
    assert share_told_apart(name) == 1.0


@pytest.mark.parametrize("name", IMPERSONAL)
def test_what_knows_nothing_of_a_person_does_not_tell_tastes_apart(name: str) -> None:
    assert share_told_apart(name) < 0.8


def exam_ndcg(name: str) -> float:
    past, holdout = tastes(name in RATERS)
    return float(evaluate_top_k(fitted(name).model, past, holdout, k_values=[10]).per_user("ndcg", 10).mean())


@every_personal
def test_it_passes_the_exam(name: str) -> None:
    assert exam_ndcg(name) > 1.5 * NOISE


@pytest.mark.parametrize("name", IMPERSONAL)
def test_the_exam_can_be_failed(name: str) -> None:
    assert exam_ndcg(name) < 1.2 * NOISE


@every
def test_scores_are_finite_numbers_for_each_user_and_item(name: str) -> None:
    score = briefly(name).model.score_block(torch.tensor([3, 0, 29]))
    assert (score.shape, score.dtype) == ((3, 20), torch.float32)
    assert score.isfinite().all()
    everyone = briefly(name).model.score_block(torch.arange(30))
    assert torch.allclose(score, everyone[[3, 0, 29]], atol=1e-5)


@every_folded
def test_factors_rank_as_scores_do(name: str) -> None:
    model = briefly(name).model
    factors = model.factors()
    assert factors is not None
    dropped = model.score_block(torch.arange(30)) - factors.user_UF @ factors.item_IF.T
    assert torch.allclose(dropped, dropped[:, :1].expand_as(dropped), atol=1e-4)


@every
def test_weights_bring_the_model_back(name: str) -> None:
    again = load(briefly(name).model.weights(), with_everything(), brief(name))
    users = torch.arange(30)
    assert torch.equal(again.score_block(users), briefly(name).model.score_block(users))


@every
def test_what_a_night_keeps_of_a_fit_can_be_written_and_ranks_the_same(name: str) -> None:
    model, data, users = briefly(name).model, with_everything(), torch.arange(30)
    kept = safetensors.torch.load(safetensors.torch.save(model.weights() | fold(model)))
    again = unfold(kept, data, brief(name)) or load(kept, data, brief(name))
    assert [s.item_BK.tolist() for s in top_k(again, data, 5)] == [s.item_BK.tolist() for s in top_k(model, data, 5)]
    assert again.score_block(users).shape == (30, 20)


@every
def test_the_same_twice_bit_for_bit(name: str) -> None:
    torch.manual_seed(1)
    again = fit(with_everything(), brief(name), seed=0).model.weights()
    expected = briefly(name).model.weights()
    assert set(again) == set(expected)
    assert all(torch.equal(again[part], expected[part]) for part in expected)


@every_neural
def test_another_seed_is_another_model(name: str) -> None:
    other = fit(with_everything(), brief(name), seed=1).model
    users = torch.arange(30)
    assert not torch.equal(other.score_block(users), briefly(name).model.score_block(users))


@every_neural
def test_the_loss_falls(name: str) -> None:
    losses = [entry["loss"] for entry in fitted(name).history]
    assert len(losses) == EPOCHS
    assert set(np.atleast_1d(fitted(name).epochs)) == {EPOCHS}
    assert losses[-1] < 0.95 * losses[0]


@every_neural
def test_an_exam_fit_watches_validation(name: str) -> None:
    assert all(0 <= entry["validation_ndcg"] <= 1 for entry in briefly(name).history)


@every_neural
def test_a_killed_training_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    def killed(entry: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(with_everything(), brief(name), seed=0, checkpoint=tmp_path / "state", on_epoch=killed)
    resumed = fit(with_everything(), brief(name), seed=0, checkpoint=tmp_path / "state")
    expected, found = briefly(name).model.weights(), resumed.model.weights()
    assert all(torch.equal(found[part], expected[part]) for part in expected)
    assert [e["loss"] for e in resumed.history] == [e["loss"] for e in briefly(name).history]


def strangers() -> Dataset:
    """A core of ten users and eight items; users 10 and 11 are outside, the last three items too, of which 10 is new.

    User 10 had an item of the core, user 11 had items 8 and 9, which nobody of the core had.
    """
    random = np.random.default_rng(0)
    core = [(user, int(item)) for user in range(10) for item in random.choice(8, 4, replace=False)]
    outside = [(10, 0), (11, 8), (11, 9)]
    held = np.arange(len(core) + 3) >= len(core) - 8
    in_core = np.arange(len(core) + 3) < len(core)
    stars = random.integers(1, 6, len(in_core)).astype(np.float32)
    return dataset(core + outside, 12, 11, in_core_E=in_core, validation_E=held & in_core, rating_E=stars)


@every
def test_items_that_nobody_had_and_users_outside_the_core_get_scores(name: str) -> None:
    data = strangers()
    model = fit(data, brief(name), seed=0).model
    assert model.score_block(torch.arange(12)).isfinite().all()
    (slates,) = top_k(model, data, 11)
    owned_U = np.bincount(data.event_user_E, minlength=12)
    assert slates.count_B.tolist() == (11 - owned_U).tolist()
    assert np.isfinite(slates.score_BK[slates.item_BK >= 0]).all()
