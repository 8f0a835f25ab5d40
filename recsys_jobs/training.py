"""The training loop of `sage_fm`: sample, score, loss, backward, step, log.

An exam fit (`epochs` None) trains on the train part and stops early on the validation part; a
serving fit trains on all core events for a given number of epochs.
U users, I items, B pairs of a batch, N candidates, D width, M modalities.
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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs import checkpoints
from recsys_jobs.checkpoints import Checkpoint
from recsys_jobs.dataset import Bools, Dataset, Ints
from recsys_jobs.errors import JobError
from recsys_jobs.fingerprint import content_hash
from recsys_jobs.models.fitted_sage_fm import FittedSageFM, whole_graph
from recsys_jobs.models.graph import drop_edges, without_pairs
from recsys_jobs.models.sage import View, view
from recsys_jobs.models.sage_fm import ITEM_MODALITIES, SageFM
from recsys_jobs.models.world import World, build_world
from recsys_jobs.recipes import SageFMRecipe
from recsys_jobs.sampling import Positives, batches, own_negatives, owned_among, positives, shared_candidates
from recsys_jobs.validation import Watch, watch_users

EpochLog = dict[str, float]
log = logging.getLogger(__name__)


@dataclasses.dataclass
class Run:
    """A training under way: what changes from step to step, and what it reads."""

    recipe: SageFMRecipe
    world: World
    pairs: Positives
    owned_UI: sparse.csr_matrix
    edge_keys: Ints
    known_I: Bools
    watch: Watch
    model: SageFM
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    random: np.random.Generator
    autocast: torch.dtype | None
    history: list[EpochLog]
    best: dict[str, Tensor]
    best_epoch: int = 0


def fit(
    dataset: Dataset,
    recipe: SageFMRecipe,
    *,
    seed: int,
    epochs: int | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[EpochLog], None] | None = None,
    device: torch.device | None = None,
) -> FittedSageFM:
    """Return the model fitted on a dataset; the same on every call with equal arguments, bit for bit on CPU.

    With `checkpoint` (a file) the state is kept after each epoch, and a training that was killed goes
    on from there to the result it would have had. `on_epoch` gets each epoch's numbers, once.
    Raises JobError where there is nothing to train on or to stop by, or the loss is not finite.
    """
    device = device or torch.device("cpu")
    with _deterministic(device):
        run = _start(dataset, recipe, seed, epochs, device)
        identity = _identity(dataset, recipe, seed, epochs) if checkpoint else ""
        if checkpoint and (saved := checkpoints.load(checkpoint, identity)):
            _resume(run, saved)
        while not _finished(run, epochs):
            entry = _epoch(run)
            _keep_best(run, entry, epochs)
            if checkpoint:
                checkpoints.save(checkpoint, _state(run, identity))
            if on_epoch:
                on_epoch(entry)
        run.model.load_state_dict(run.best)
        return FittedSageFM(run.model, dataset, run.known_I, run.best_epoch, run.history, device)


def _start(dataset: Dataset, recipe: SageFMRecipe, seed: int, epochs: int | None, device: torch.device) -> Run:
    seen_E = ~dataset.validation_E if epochs is None else np.ones_like(dataset.validation_E)
    target_E = dataset.train_events() if epochs is None else dataset.in_core_E
    if epochs is None and not dataset.validation_E.any():
        raise JobError("no validation events to stop by: give the number of epochs, or raise validation_share")
    pairs = positives(dataset, target_E, seen_E)
    world = build_world(dataset, seen_E, device)
    model = _new_model(dataset, recipe, world, seed)
    scale = torch.amp.GradScaler(device.type, enabled=_autocast(recipe, device) == torch.float16)
    return Run(
        recipe=recipe,
        world=world,
        pairs=pairs,
        owned_UI=build_owned(dataset),
        edge_keys=world.graph.keys(),
        known_I=np.isin(np.arange(len(dataset.items)), dataset.event_item_E[seen_E]),
        watch=watch_users(dataset, recipe, seed, validate=epochs is None),
        model=model,
        optimizer=_new_optimizer(model, recipe),
        scaler=scale,
        random=np.random.default_rng(seed),
        autocast=_autocast(recipe, device),
        history=[],
        best={},
    )


def build_owned(dataset: Dataset) -> sparse.csr_matrix:
    """Return everything that each user owns, validation included, as a matrix [U, I]."""
    ones = np.ones(len(dataset.event_user_E), np.float32)
    shape = len(dataset.users), len(dataset.items)
    return sparse.csr_matrix((ones, (dataset.event_user_E, dataset.event_item_E)), shape=shape)


def _new_model(dataset: Dataset, recipe: SageFMRecipe, world: World, seed: int) -> SageFM:
    with torch.random.fork_rng(devices=[]):  # torch's layers draw from the global generator: borrow it, give it back
        torch.manual_seed(seed)
        model = SageFM(recipe, len(dataset.items), dataset.text_IT.shape[1], dataset.image_IV.shape[1])
        model.to(world.device)
        model.fit_projections(world)
    return model


def _new_optimizer(model: SageFM, recipe: SageFMRecipe) -> torch.optim.Optimizer:
    nodes = model.graph.input_IG
    others = [parameter for parameter in model.parameters() if parameter is not nodes]
    groups = [(others, recipe.learning_rate), ([nodes], recipe.node_learning_rate)]
    return torch.optim.Adam([{"params": params, "lr": rate, "initial_lr": rate} for params, rate in groups])


def _epoch(run: Run) -> EpochLog:
    """One pass over the training pairs."""
    began, losses = time.monotonic(), []
    for group in run.optimizer.param_groups:
        group["lr"] = group["initial_lr"] * run.recipe.learning_rate_decay ** len(run.history)
    for batch in batches(len(run.pairs.user_P), run.recipe.steps_per_epoch, run.recipe.min_batch, run.random):
        user_B, item_B = run.pairs.user_P[batch], run.pairs.item_P[batch]
        graph = _training_graph(run, user_B, item_B)
        with _autocasting(run):
            loss = _loss(run, graph, user_B, item_B)
        run.optimizer.zero_grad(set_to_none=True)
        run.scaler.scale(loss).backward()
        run.scaler.unscale_(run.optimizer)
        nn.utils.clip_grad_norm_(run.model.parameters(), run.recipe.clip_norm)
        run.scaler.step(run.optimizer)
        run.scaler.update()
        losses.append(loss.item())
    entry = {"epoch": len(run.history) + 1, "loss": float(np.mean(losses)), "seconds": time.monotonic() - began}
    if not math.isfinite(entry["loss"]):
        raise JobError(
            f"the loss of epoch {entry['epoch']} is not finite: lower the learning rate of {run.recipe.name}"
        )
    return entry | _look(run)


def _training_graph(run: Run, user_B: Ints, item_B: Ints) -> View:
    """Return the graph of one step: without what the step's pairs gave it, some edges and some node inputs."""
    weight_II = run.world.graph.weight_II
    if run.recipe.hold_out_edges:
        left_N = without_pairs(run.world.graph, run.edge_keys, run.world.history_UI, user_B, item_B)
        weight_II = sparse.csr_matrix((left_N, weight_II.indices, weight_II.indptr), shape=weight_II.shape)
    weight_II = drop_edges(weight_II, run.recipe.edge_dropout, run.random)
    kept_I = run.random.random(len(run.known_I)) >= run.recipe.node_dropout
    return view(weight_II, run.known_I & kept_I, run.recipe.weighted_edges, run.world.device)


def _loss(run: Run, graph: View, user_B: Ints, item_B: Ints) -> Tensor:
    """Return the loss of one batch of pairs; the same user vector meets the positive and the negatives."""
    items = run.model.encode_items(run.world, graph)
    users, chosen = _to_device(run, user_B), _to_device(run, item_B)
    user_BD = run.model.encode_users(run.world, items, users, leave_B=chosen).vector_BD
    positive_B = run.model.fm(user_BD, run.model.positives(run.world, items, chosen, users))
    penalty = run.recipe.l2 * torch.stack([p.square().sum() for p in run.model.parameters()]).sum()
    if run.recipe.loss == "bpr":
        other = _to_device(run, own_negatives(run.pairs, user_B, run.random))
        negative_B = run.model.fm(user_BD, items.fused.vector_BD[other])
        return -functional.logsigmoid(positive_B - negative_B).mean() + penalty
    return _softmax_loss(run, user_BD, positive_B, items.fused.vector_BD, user_B) + penalty


def _softmax_loss(run: Run, user_BD: Tensor, positive_B: Tensor, item_ID: Tensor, user_B: Ints) -> Tensor:
    """Cross-entropy of the positive among candidates drawn for the batch, what the user owns left out.

    Candidates are a sample of the pool: each stands for pool / N items.
    """
    candidate_N = shared_candidates(run.pairs, run.recipe.negatives, run.random)
    owned_BN = torch.from_numpy(owned_among(run.owned_UI, user_B, candidate_N)).to(run.world.device)
    score_BN = run.model.fm.all_pairs(user_BD, item_ID[_to_device(run, candidate_N)]).float()
    score_BN = score_BN + math.log(len(run.pairs.pool_N) / len(candidate_N))
    score_BN = score_BN.masked_fill(owned_BN, -torch.inf)
    logit_BN = torch.cat([positive_B.float()[:, None], score_BN], dim=1)
    return (torch.logsumexp(logit_BN, dim=1) - positive_B.float()).mean()


def _to_device(run: Run, values: Ints) -> Tensor:
    """Copy a batch's indices; from pinned memory, without waiting, where there is a GPU."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(run.world.device, non_blocking=True) if run.world.device.type == "cuda" else tensor


@torch.no_grad()
def _look(run: Run) -> EpochLog:
    """Return the validation NDCG, and the mean attention of each modality on users and on items."""
    items = run.model.encode_items(run.world, whole_graph(run.recipe, run.world, run.known_I))
    users = run.model.encode_users(run.world, items, run.watch.users.to(run.world.device))
    names = [f"attention_user_{name}" for name in run.model.user_attention.modalities]
    names += [f"attention_item_{name}" for name in ITEM_MODALITIES]
    means = torch.cat([users.attention_BM.float().mean(0), items.fused.attention_BM.float().mean(0)])
    seen = dict(zip(names, means.tolist(), strict=True))
    if not run.watch.relevant.nnz:
        return seen
    return {"validation_ndcg": run.watch.ndcg(run.model.fm.all_pairs(users.vector_BD, items.fused.vector_BD))} | seen


def _keep_best(run: Run, entry: EpochLog, epochs: int | None) -> None:
    best = max((e["validation_ndcg"] for e in run.history), default=-1.0) if epochs is None else -1.0
    run.history.append(entry)
    if epochs is not None or entry["validation_ndcg"] > best:
        run.best = {name: value.detach().clone() for name, value in run.model.state_dict().items()}
        run.best_epoch = len(run.history)


def _finished(run: Run, epochs: int | None) -> bool:
    if epochs is not None:
        return len(run.history) >= epochs
    waited = len(run.history) - run.best_epoch
    return len(run.history) >= run.recipe.max_epochs or waited >= run.recipe.patience


def _identity(dataset: Dataset, recipe: SageFMRecipe, seed: int, epochs: int | None) -> str:
    asked = json.dumps([content_hash(dataset), dataclasses.asdict(recipe), seed, epochs])
    return hashlib.sha256(asked.encode()).hexdigest()


def _state(run: Run, identity: str) -> Checkpoint:
    tensors = {f"model.{name}": value for name, value in run.model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in run.best.items()}
    for number, moments in run.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{name}": value for name, value in moments.items()}
    numbers: dict[str, Any] = {"identity": identity, "history": run.history, "best_epoch": run.best_epoch}
    numbers |= {"random": run.random.bit_generator.state, "scaler": run.scaler.state_dict()}
    return Checkpoint(tensors, numbers)


def _resume(run: Run, saved: Checkpoint) -> None:
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "adam": {}}
    for name, value in saved.tensors.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = value
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in parts["adam"].items():
        number, moment = name.split(".", 1)
        moments.setdefault(int(number), {})[moment] = value
    run.model.load_state_dict(parts["model"])
    run.optimizer.load_state_dict(run.optimizer.state_dict() | {"state": moments})
    run.best = {name: value.to(run.world.device) for name, value in parts["best"].items()}
    run.history, run.best_epoch = saved.numbers["history"], saved.numbers["best_epoch"]
    run.random.bit_generator.state = saved.numbers["random"]
    run.scaler.load_state_dict(saved.numbers["scaler"])
    log.info("training goes on after epoch %d", len(run.history))


def _autocast(recipe: SageFMRecipe, device: torch.device) -> torch.dtype | None:
    if recipe.mixed_precision == "bfloat16":
        return torch.bfloat16
    if recipe.mixed_precision == "off" or device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _autocasting(run: Run) -> contextlib.AbstractContextManager[Any]:
    if run.autocast is None:
        return contextlib.nullcontext()
    return torch.autocast(run.world.device.type, dtype=run.autocast)


@contextlib.contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    """Only deterministic algorithms inside; on cuda, where a sparse product has none, torch warns instead."""
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)
