"""What a recipe may ask of the training loop: optimizer, schedule, what it stops by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.models.lightgcn.learner import fit
from recsys_jobs.models.lightgcn.recipe import LightGCNRecipe, bpr_mf
from recsys_jobs.training.optimizers import make_optimizer, rate_factor
from tests.unit.worlds import with_everything

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = replace(bpr_mf(), width=8, min_batch=32, steps_per_epoch=6, max_epochs=4, learning_rate=0.05)


def rates(**options: object) -> list[float]:
    recipe: LightGCNRecipe = replace(TINY, max_epochs=4, **options)
    return [round(rate_factor(recipe, epoch), 4) for epoch in range(1, 5)]


def test_each_schedule_by_hand() -> None:
    assert rates() == [1, 1, 1, 1]
    assert rates(learning_rate_decay=0.5) == [1, 0.5, 0.25, 0.125]
    assert rates(schedule="constant", learning_rate_decay=0.5) == [1, 1, 1, 1]
    assert rates(schedule="linear") == [1, 0.75, 0.5, 0.25]
    assert rates(schedule="cosine") == [1, 0.8536, 0.5, 0.1464]
    assert rates(schedule="linear", warmup_epochs=2) == [0.3333, 0.6667, 1, 0.5]


def one_step(**options: object) -> torch.Tensor:
    """Return where 1.0 stands after one step along a gradient of 2."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = make_optimizer([{"params": [weight], "lr": 0.1}], replace(TINY, **options))
    weight.grad = torch.full((1,), 2.0)
    optimizer.step()
    return weight.detach()


def test_each_optimizer_by_hand() -> None:
    assert torch.allclose(one_step(optimizer="sgd"), torch.tensor([0.8]))
    assert torch.allclose(one_step(optimizer="adam"), torch.tensor([0.9]))
    assert torch.allclose(one_step(optimizer="adamw"), torch.tensor([0.9]))
    assert torch.allclose(one_step(optimizer="sgd", weight_decay=1.0), torch.tensor([0.7]))
    assert torch.allclose(one_step(optimizer="adamw", weight_decay=1.0), torch.tensor([0.8]))  # decay apart from Adam
    assert torch.allclose(one_step(optimizer="adam", weight_decay=1.0), torch.tensor([0.9]))  # which here is scaled off


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown optimizer 'lion': name one of adam, adamw, sgd"):
        fit(with_everything(), replace(TINY, optimizer="lion"), seed=0)
    with pytest.raises(UsageError, match="unknown schedule 'step'"):
        fit(with_everything(), replace(TINY, schedule="step"), seed=0)


def test_stopping_by_what_a_family_does_not_show_is_an_error() -> None:
    with pytest.raises(JobError, match="stops by validation_loss, and its epochs show none"):
        fit(with_everything(), replace(TINY, stop_by="validation_loss"), seed=0)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_killed_training_goes_on_bit_for_bit(optimizer: str, tmp_path: Path) -> None:
    recipe = replace(TINY, optimizer=optimizer, weight_decay=0.01, schedule="cosine", warmup_epochs=1, patience=4)

    def killed(entry: dict[str, float]) -> None:
        if entry["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(with_everything(), recipe, seed=0, checkpoint=tmp_path / "state", on_epoch=killed)
    resumed = fit(with_everything(), recipe, seed=0, checkpoint=tmp_path / "state").weights()
    whole = fit(with_everything(), recipe, seed=0).weights()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
