"""The training loop that every neural family shares: batch, loss, backward, step, log.

An exam fit (`epochs` None) trains on the train part and stops early on the validation part; a serving
fit trains on all core events for a given number of epochs. Of a family it knows `Learner` alone
(see learner.py). B validation users, I items.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.content_hash import content_hash
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.ranking.model import Trained
from recsys_jobs.torch_common import named_tensors
from recsys_jobs.torch_common.devices import autocast, deterministic, mixed_precision
from recsys_jobs.training import checkpoints
from recsys_jobs.training.checkpoints import Checkpoint
from recsys_jobs.training.early_stopping import ValidationSet, choose_validation_set
from recsys_jobs.training.learner import EpochLog, Learner, MakeLearner, event_split, parameter_groups
from recsys_jobs.training.optimizers import make_optimizer, rate_factor
from recsys_jobs.training.recipe import TrainedRecipe

log = logging.getLogger(__name__)


@dataclasses.dataclass
class TrainingState:
    """A training under way: network, optimizer, random state, and the best epoch so far."""

    recipe: TrainedRecipe
    seed: int
    device: torch.device
    learner: Learner
    validation: ValidationSet
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    random: np.random.Generator
    precision: str
    history: list[EpochLog]
    best: dict[str, Tensor]
    best_epoch: int = 0


def fit(
    make_learner: MakeLearner,
    dataset: Dataset,
    recipe: TrainedRecipe,
    *,
    seed: int,
    epochs: int | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[EpochLog], None] | None = None,
    device: torch.device | None = None,
) -> Trained:
    """Return the model fitted on a dataset; the same on every call with equal arguments, bit for bit on CPU.

    `make_learner` makes the family's learner; torch's generator is seeded when it is called. With `checkpoint`
    (a file) the state is kept after each epoch, and a training that was killed goes on from there to
    the result it would have had. `on_epoch` gets each epoch's numbers, once.
    Raises JobError where there is nothing to train on or to stop by, or the loss is not finite.
    """
    device = device or torch.device("cpu")
    with deterministic(device):
        run = _start_training(make_learner, dataset, recipe, seed, epochs, device)
        identity = _identity(dataset, recipe, seed, epochs) if checkpoint else ""
        if checkpoint and (saved := checkpoints.load(checkpoint, identity)):
            _resume(run, saved)
        while not _finished(run, epochs):
            entry = _run_epoch(run)
            _keep_best(run, entry, epochs)
            if checkpoint:
                checkpoints.save(checkpoint, _checkpoint_of(run, identity))
            if on_epoch:
                on_epoch(entry)
        run.learner.network.load_state_dict(run.best)
        return run.learner.fitted(run.best_epoch, run.history)


def _start_training(
    make_learner: MakeLearner,
    dataset: Dataset,
    recipe: TrainedRecipe,
    seed: int,
    epochs: int | None,
    device: torch.device,
) -> TrainingState:
    with _seeded(seed, device):
        learner = make_learner(dataset, recipe, event_split(dataset, epochs), device)
    precision = mixed_precision(device, recipe.mixed_precision)
    groups = [group | {"initial_lr": group["lr"]} for group in parameter_groups(learner, recipe)]
    return TrainingState(
        recipe=recipe,
        seed=seed,
        device=device,
        learner=learner,
        validation=choose_validation_set(dataset, recipe, seed, validate=epochs is None),
        optimizer=make_optimizer(groups, recipe),
        scaler=torch.amp.GradScaler(device.type, enabled=precision == "float16"),
        random=np.random.default_rng(seed),
        precision=precision,
        history=[],
        best={},
    )


def _run_epoch(run: TrainingState) -> EpochLog:
    """Train on one pass over the batches, validate, and return the epoch's numbers."""
    began = time.monotonic()
    epoch = len(run.history) + 1
    for group in run.optimizer.param_groups:
        group["lr"] = group["initial_lr"] * rate_factor(run.recipe, epoch)
    run.learner.network.train()
    with _seeded(_epoch_seed(run.seed, epoch), run.device):
        losses = [_train_step(run, batch) for batch in run.learner.batches(run.random)]
    entry = {"epoch": epoch, "loss": float(np.mean(losses)), "seconds": time.monotonic() - began}
    if not math.isfinite(entry["loss"]):
        raise JobError(f"the loss of epoch {epoch} is not finite: lower the learning rate of {run.recipe.name}")
    return entry | _validate(run)


def _train_step(run: TrainingState, batch: Any) -> float:
    with autocast(run.device, run.precision):
        loss = run.learner.loss(batch)
    run.optimizer.zero_grad(set_to_none=True)
    run.scaler.scale(loss).backward()
    run.scaler.unscale_(run.optimizer)
    _clip(run.learner.network, run.recipe.clip_norm)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    return loss.item()


def _clip(network: nn.Module, most: float) -> None:
    """Shorten the gradient to a norm of `most`; torch's own function passes over it even where there is no need."""
    weights = list(network.parameters())
    norm = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    if norm > most:
        nn.utils.clip_grads_with_norm_(weights, most, norm)


@torch.no_grad()
def _validate(run: TrainingState) -> EpochLog:
    """Return the validation NDCG, unless nothing is validated, and the family's further numbers."""
    run.learner.network.eval()
    score_BI, numbers = run.learner.validate(run.validation.users.to(run.device))
    if not run.validation.relevant.nnz:
        return numbers
    return {"validation_ndcg": run.validation.ndcg(score_BI)} | numbers


def _keep_best(run: TrainingState, entry: EpochLog, epochs: int | None) -> None:
    if epochs is None:
        score = partial(_stopping_score, run.recipe)
        is_best = score(entry) > max(map(score, run.history), default=-math.inf)
    else:
        is_best = True
    run.history.append(entry)
    if is_best:
        state = run.learner.network.state_dict()
        run.best = {name: value.detach().clone() for name, value in state.items()}
        run.best_epoch = len(run.history)


def _stopping_score(recipe: TrainedRecipe, entry: EpochLog) -> float:
    """Return the number that early stopping compares; higher is better."""
    if recipe.stop_by not in entry:
        raise JobError(f"{recipe.name} stops by {recipe.stop_by}, and its epochs show none: change stop_by")
    value = entry[recipe.stop_by]
    return -value if recipe.stop_by.endswith("_loss") else value


def _finished(run: TrainingState, epochs: int | None) -> bool:
    if epochs is not None:
        return len(run.history) >= epochs
    epochs_since_best = len(run.history) - run.best_epoch
    return len(run.history) >= run.recipe.max_epochs or epochs_since_best >= run.recipe.patience


def _identity(dataset: Dataset, recipe: TrainedRecipe, seed: int, epochs: int | None) -> str:
    inputs = json.dumps([content_hash(dataset), dataclasses.asdict(recipe), seed, epochs])
    return hashlib.sha256(inputs.encode()).hexdigest()


def _checkpoint_of(run: TrainingState, identity: str) -> Checkpoint:
    moments = run.optimizer.state_dict()["state"]
    tensors = named_tensors.join_parts(
        {
            "model": run.learner.network.state_dict(),
            "best": run.best,
            "optimizer": named_tensors.join_parts(
                {str(number): _tensor_entries(state) for number, state in moments.items()}
            ),
        }
    )
    numbers: dict[str, Any] = {"identity": identity, "history": run.history, "best_epoch": run.best_epoch}
    return Checkpoint(tensors, numbers | {"random": run.random.bit_generator.state, "scaler": run.scaler.state_dict()})


def _tensor_entries(state: dict[str, Any]) -> dict[str, Tensor]:
    """Return a parameter's moments; SGD says None before its first step."""
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def _resume(run: TrainingState, saved: Checkpoint) -> None:
    parts = named_tensors.split_parts(saved.tensors)
    moments = {int(number): state for number, state in named_tensors.split_parts(parts["optimizer"]).items()}
    run.learner.network.load_state_dict(parts["model"])
    run.optimizer.load_state_dict(run.optimizer.state_dict() | {"state": moments})
    run.best = {name: value.to(run.device) for name, value in parts["best"].items()}
    run.history, run.best_epoch = saved.numbers["history"], saved.numbers["best_epoch"]
    run.random.bit_generator.state = saved.numbers["random"]
    run.scaler.load_state_dict(saved.numbers["scaler"])
    log.info("training goes on after epoch %d", len(run.history))


def _epoch_seed(seed: int, epoch: int) -> int:
    """Return dropout's seed: of the epoch, so that a training that goes on after a kill drops the same."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])


@contextlib.contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generator, which its layers draw from, and restore it afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
