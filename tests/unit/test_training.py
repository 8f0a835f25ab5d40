"""Training: it learns what there is to learn, repeats itself, and goes on after a kill."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.sage_fm.fitted import FittedSageFM
from recsys_jobs.models.sage_fm.learner import fit, load
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe, sage_fm, sage_fm_seed
from recsys_jobs.torch_common.devices import deterministic
from recsys_jobs.training import loop
from recsys_jobs.training.epochs import epoch_line
from recsys_jobs.training.learner import EpochLog
from tests.unit.worlds import dataset, two_tastes, with_everything

pytestmark = pytest.mark.usefixtures("one_thread")

RATES = {"learning_rate": 0.02, "node_learning_rate": 0.02}
TINY = {"width": 8, "graph_width": 8, "fm_rank": 4, "min_batch": 32, "steps_per_epoch": 6, **RATES}
RECIPES = [replace(sage_fm_seed(), **TINY), replace(sage_fm(), **TINY)]
both = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)


def hit_rate(model: FittedSageFM, data: Dataset) -> float:
    """Return the share of validation items that score above all but a tenth of the items not owned before."""
    user, item = data.event_user_E[data.validation_E], data.event_item_E[data.validation_E]
    scores = model.score_block(torch.from_numpy(user)).clone()
    known = ~data.validation_E
    for row, who in enumerate(user):
        scores[row, data.event_item_E[known & (data.event_user_E == who)]] = -torch.inf
    own = scores[torch.arange(len(user)), torch.from_numpy(item)]
    better = (scores > own[:, None]).sum(1)
    return float((better < len(data.items) / 10).float().mean())


def without_validation(data: Dataset) -> Dataset:
    """Return the dataset as it was before its validation events."""
    keep = ~data.validation_E
    per_event = ("event_user_E", "event_item_E", "in_core_E", "validation_E", "review_E")
    return dataclasses.replace(data, **{name: getattr(data, name)[keep] for name in per_event})


@both
def test_two_tastes_are_told_apart(recipe: SageFMRecipe) -> None:
    """Of 40 items 20 are of the wrong taste; a random score ranks half of them among the better ones."""
    data = two_tastes()
    model = fit(without_validation(data), recipe, seed=0, epochs=20)
    scores = model.score_block(torch.arange(80))
    right = torch.arange(80)[:, None] % 2 == torch.arange(40)[None, :] % 2
    told = (scores.masked_fill(~right, torch.inf).amin(1) > scores.masked_fill(right, -torch.inf).amax(1)).float()
    ahead = np.mean([scores[u][right[u]].mean() > scores[u][~right[u]].mean() for u in range(80)])
    random = torch.randn(80, 40, generator=torch.Generator().manual_seed(0))
    random_ahead = np.mean([random[u][right[u]].mean() > random[u][~right[u]].mean() for u in range(80)])
    assert told.mean() > 0.8
    assert ahead == 1.0
    assert random_ahead < 0.8


def planted(modality: str, seed: int = 0) -> Dataset:
    """Return a world of four tastes, each item sold to few, whose taste shows in one modality alone."""
    random = np.random.default_rng(seed)
    users, items, each, tastes = 120, 80, 4, 4
    taken = [random.choice(np.arange(user % tastes, items, tastes), each, replace=False) for user in range(users)]
    pairs = [(user, int(taken[user][turn])) for turn in range(each) for user in range(users)]
    code = np.eye(tastes, dtype=np.float32)[np.arange(items) % tastes]
    look = np.concatenate([code, np.zeros((items, 2), np.float32)], 1)
    look = look + random.normal(size=look.shape).astype(np.float32) * 0.1
    data = dataset(pairs, users, items, validation=users)
    if modality == "text":
        return dataclasses.replace(data, text_IT=look, text_present_I=np.ones(items, np.bool_))
    if modality == "image":
        return dataclasses.replace(data, image_IV=look, image_present_I=np.ones(items, np.bool_))
    src = np.arange(items - tastes)  # a listing joins each item to the next two of its taste
    near = np.concatenate([src, src[:-tastes]]), np.concatenate([src + tastes, src[:-tastes] + 2 * tastes])
    return dataclasses.replace(
        data, edge_src_K=near[0], edge_dst_K=near[1], edge_weight_K=np.ones(len(near[0]), np.float32)
    )


@pytest.mark.parametrize("modality", ["text", "image", "graph"])
def test_a_planted_signal_is_found(modality: str) -> None:
    data = planted(modality)
    bare = dataset([], 0, 0)
    nothing = dataclasses.replace(
        planted("graph"), edge_src_K=bare.edge_src_K, edge_dst_K=bare.edge_dst_K, edge_weight_K=bare.edge_weight_K
    )
    recipe = replace(RECIPES[1], hold_out_edges=True, max_epochs=12, temperature=0.5, negatives=2_048)
    with_it = hit_rate(fit(without_validation(data), recipe, seed=0, epochs=12), data)
    without = hit_rate(fit(without_validation(nothing), recipe, seed=0, epochs=12), nothing)
    assert with_it > without + 0.1


@both
def test_loss_falls_and_attention_is_logged(recipe: SageFMRecipe) -> None:
    seen: list[EpochLog] = []
    fitted = fit(with_everything(), replace(recipe, max_epochs=6, patience=6), seed=0, on_epoch=seen.append)
    assert seen == fitted.history and len(seen) == 6
    assert seen[-1]["loss"] < seen[0]["loss"]
    assert all(0 <= entry["validation_ndcg"] <= 1 for entry in seen)
    items = sum(seen[0][f"attention_item_{name}"] for name in ("text", "image", "graph"))
    assert items == pytest.approx(1.0, abs=0.01)


def test_an_epochs_line_shows_loss_validation_and_seconds_and_fits_a_terminal() -> None:
    entry = {"epoch": 60, "loss": 0.69314, "seconds": 123.456, "validation_ndcg": 0.12341, "attention_item_text": 0.5}
    assert epoch_line(entry) == "epoch 60: loss 0.6931  validation_ndcg 0.1234  seconds 123.5"
    assert "  validation_loss 1.0000  " in (rating := epoch_line(entry | {"validation_loss": 1.0}))
    assert len("    " + rating) <= 80
    assert epoch_line({"epoch": 1, "loss": 2.0}) == "epoch 1: loss 2.0000"  # a serving fit, or an old history


@both
def test_the_same_twice_bit_for_bit_whatever_the_global_generators(recipe: SageFMRecipe) -> None:
    recipe = replace(recipe, max_epochs=3)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = fit(with_everything(), recipe, seed=5).weights()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    two = fit(with_everything(), recipe, seed=5).weights()
    assert all(torch.equal(one[name], two[name]) for name in one)
    other = fit(with_everything(), recipe, seed=6).weights()
    assert not torch.equal(one["model.graph.input_IG"], other["model.graph.input_IG"])


@both
def test_a_killed_training_goes_on_bit_for_bit(recipe: SageFMRecipe, tmp_path: Path) -> None:
    recipe = replace(recipe, max_epochs=5, patience=5, learning_rate_decay=0.9)
    whole = fit(with_everything(), recipe, seed=3)

    def killed(entry: EpochLog) -> None:
        if entry["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(with_everything(), recipe, seed=3, checkpoint=tmp_path / "state", on_epoch=killed)
    later: list[EpochLog] = []
    resumed = fit(with_everything(), recipe, seed=3, checkpoint=tmp_path / "state", on_epoch=later.append)
    assert [entry["epoch"] for entry in later] == [3, 4, 5]
    assert resumed.epochs == whole.epochs
    expected, found = whole.weights(), resumed.weights()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert [e["loss"] for e in resumed.history] == [e["loss"] for e in whole.history]


def test_a_foreign_or_broken_checkpoint_is_no_obstacle(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state, recipe = tmp_path / "state", replace(RECIPES[0], max_epochs=1)
    fit(with_everything(), recipe, seed=3, checkpoint=state)
    assert len(fit(with_everything(), recipe, seed=4, checkpoint=state).history) == 1
    assert "is of another training" in caplog.text
    state.write_bytes(b"half a file")
    assert len(fit(with_everything(), recipe, seed=4, checkpoint=state).history) == 1
    assert "cannot be read" in caplog.text


@both
def test_weights_bring_the_model_back(recipe: SageFMRecipe) -> None:
    data = with_everything()
    fitted = fit(data, recipe, seed=0, epochs=2)
    again = load(fitted.weights(), data, recipe)
    users = torch.arange(30)
    assert torch.equal(again.score_block(users), fitted.score_block(users))
    assert again.epochs == 2


@both
def test_factors_rank_as_scores_do(recipe: SageFMRecipe) -> None:
    fitted = fit(with_everything(), recipe, seed=0, epochs=2)
    factors, scores = fitted.factors(), fitted.score_block(torch.arange(30))
    dropped = scores - factors.user_UF @ factors.item_IF.T
    assert torch.allclose(dropped, dropped[:, :1].expand_as(dropped), atol=1e-4)
    assert fitted.item_vectors().shape == (20, 8)


@both
def test_users_and_items_unseen_at_training_get_scores(recipe: SageFMRecipe) -> None:
    """Loaded over a later dataset: two new items (one with a neighbour, one with nothing), two new users."""
    early = dataset([(0, 0), (0, 1), (1, 1), (1, 2), (2, 0), (2, 2)], 3, 4)
    fitted = fit(early, recipe, seed=0, epochs=2)
    later = dataset(
        [(0, 0), (0, 1), (1, 1), (1, 2), (2, 0), (2, 2), (3, 4)],
        5,
        6,
        edge_src_K=np.array([0]),
        edge_dst_K=np.array([4]),
        edge_weight_K=np.ones(1, np.float32),
    )
    scores = load(fitted.weights(), later, recipe).score_block(torch.arange(5))
    assert scores.shape == (5, 6)
    assert torch.isfinite(scores).all()
    assert scores[3].std() > 0


@both
def test_images_that_are_all_absent_are_as_none(recipe: SageFMRecipe) -> None:
    data = dataclasses.replace(with_everything(), image_present_I=np.zeros(20, np.bool_))
    fitted = fit(data, recipe, seed=0, epochs=1)
    assert fitted.history[0]["attention_item_image"] == 0
    assert torch.isfinite(fitted.score_block(torch.arange(30))).all()


@both
def test_bfloat16_autocast_stays_near_float32(recipe: SageFMRecipe) -> None:
    exact = fit(with_everything(), replace(recipe, max_epochs=2), seed=0)
    mixed = fit(with_everything(), replace(recipe, max_epochs=2, mixed_precision="bfloat16"), seed=0)
    assert mixed.history[-1]["loss"] == pytest.approx(exact.history[-1]["loss"], rel=0.05)


def test_an_exam_fit_needs_validation() -> None:
    with pytest.raises(JobError, match="no validation events"):
        fit(with_everything(validation=0), RECIPES[0], seed=0)


@pytest.mark.parametrize("most", [0.5, 1e3])
def test_a_gradient_is_shortened_as_torch_does_it_or_left_as_it_is(most: float) -> None:
    ours, theirs = (torch.nn.Linear(3, 2) for _ in range(2))
    for layer in (ours, theirs):
        layer.weight.grad = torch.arange(6.0).reshape(2, 3)  # the bias has none
    loop._clip(ours, most)
    torch.nn.utils.clip_grad_norm_(theirs.parameters(), most)
    assert torch.equal(ours.weight.grad, theirs.weight.grad)


def test_torchs_own_settings_are_given_back() -> None:
    def now() -> tuple[bool, bool]:
        return torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory

    before = now()
    with deterministic(torch.device("cpu")):
        assert now() == (True, False)
    assert now() == before
