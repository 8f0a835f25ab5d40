"""An epoch of each neural family, and EASE, beside its floor and beside RecBole on the same events and cores.

    python -m benchmarks.peers [--data FOLDER] [--models a,b] [--epochs 3]

FOLDER holds `sequences.txt.gz` (each line a user and its items in order); the last two events of each user are
kept out, as in leave-one-out. Contents, stars and times are made up: an epoch costs the same whatever they say.
Both sides have the same width, layers, pairs a step and threads; the fastest epoch counts. Where there is no data,
it says so and ends well. docs/speed.md says what differs and how to read the table.

U users, E events.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import peer_environment
from benchmarks.epoch import matmul_speed, memory_speed, with_random_contents
from benchmarks.floors import Size, floor
from recsys_jobs.contracts.errors import UsageError, run_main
from recsys_jobs.contracts.settings import ROOT
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.readers import sequences
from recsys_jobs.data.readers.raw import RawData
from recsys_jobs.models import families
from recsys_jobs.models.lightgcn.recipe import LightGCNRecipe
from recsys_jobs.models.ncf.recipe import NcfRecipe
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.models.sequence.recipe import SequenceRecipe
from recsys_jobs.torch_common.devices import use_all_cores
from recsys_jobs.training.recipe import Recipe

GOAL = 0.5  # of the peer's time
_SHORT, _SETTLED = ("bpr_mf", "lightgcn"), 12  # epochs of a second need more than three to settle, on both sides
_MODELS = (
    "bpr_mf,lightgcn,sasrec,sasrec_full,ease,gated_sequence,temporal_gpt2,attention_contrastive,ncf_rating,"
    "sage_fm_softmax"
)
_PEERS = {"bpr_mf": "BPR", "lightgcn": "LightGCN", "sasrec": "SASRec", "sasrec_full": "SASRec", "ease": "EASE"}


def main() -> None:
    """Print the table."""
    shared = Path(os.environ.get("RECSYS_SHARED_DATA") or ROOT.parent / "shared" / "data")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=shared / "benchmarks" / "beauty", help="folder of sequences")
    parser.add_argument("--models", default=_MODELS, help=f"of {_MODELS}")
    parser.add_argument("--epochs", type=int, default=3, help="to measure, of short ones at least 12 (default 3)")
    args = parser.parse_args()
    if unknown := set(args.models.split(",")) - set(_MODELS.split(",")):
        raise UsageError(f"not measured here: {', '.join(sorted(unknown))}; name some of {_MODELS}")
    if not (args.data / sequences.FILES[0]).is_file():
        print(f"peers: skipped, no {sequences.FILES[0]} in {args.data}: set RECSYS_SHARED_DATA or name --data")
        return
    use_all_cores()
    run(sequences.read(args.data), args.models.split(","), args.epochs)


def run(raw: RawData, models: list[str], epochs: int) -> None:
    """Measure each model, a line as it is done."""
    python = peer_environment.make()
    write_events(raw, peer_environment.FOLDER / "peers" / "peers.inter")
    data = train_part(raw)
    speeds = matmul_speed(), memory_speed()
    _print_heading(raw.name, data, speeds)
    peer_seconds: dict[str, float] = {}
    for name in models:
        model_recipe = _recipe(name, data)
        size = _size(model_recipe, data)
        measured_epochs = max(epochs, _SETTLED) if name in _SHORT else epochs
        ours = our_seconds(data, model_recipe, measured_epochs)
        least = floor(model_recipe, size).seconds(*speeds)
        peer = _PEERS.get(name)
        if peer and peer not in peer_seconds:
            job = _job(peer, model_recipe, size, measured_epochs)
            peer_seconds[peer] = min(peer_environment.measure(python, job)["seconds"])
        comparison = _comparison(ours, peer_seconds[peer] if peer else None)
        print(f"{name:24}{size.steps:6}{ours:9.2f}{least:9.2f}{ours / least:9.1f}{comparison}", flush=True)


def _print_heading(name: str, data: Dataset, speeds: tuple[float, float]) -> None:
    sizes = f"{len(data.users):,} users, {len(data.items):,} items, {len(data.event_user_E):,} pairs"
    machine = f"{torch.get_num_threads()} threads, {speeds[0] / 1e9:.0f} Gop/s, {speeds[1] / 1e9:.1f} GB/s"
    print(f"{name}: {sizes}; {machine}")
    columns = f"{'steps':>6}{'ours s':>9}{'floor s':>9}{'x floor':>9}{'RecBole s':>11}{'ratio':>8}"
    print(f"\n{'model':24}{columns}  goal {GOAL}")


def _comparison(ours: float, theirs: float | None) -> str:
    """Return the last three columns: the peer's seconds, the ratio, whether the goal is met."""
    if theirs is None:
        return f"{'-':>11}{'-':>8}"
    return f"{theirs:11.2f}{ours / theirs:8.2f}" + ("  met" if ours <= GOAL * theirs else "  missed")


def our_seconds(data: Dataset, model_recipe: Recipe, epochs: int) -> float:
    """Return the seconds of the fastest epoch, or of the whole fit of a closed form."""
    began = time.perf_counter()
    fitted = families.fit(data, model_recipe, seed=0, epochs=epochs)
    return min((entry["seconds"] for entry in fitted.history), default=time.perf_counter() - began)


def train_part(raw: RawData) -> Dataset:
    """Return all but the last two events of each user, with made-up contents, stars and times."""
    user_E, item_E = raw.events.user_E, raw.events.item_E
    order = np.argsort(user_E, kind="stable")  # a user's events stand in their order
    end_U = np.cumsum(np.bincount(user_E, minlength=len(raw.users)))
    before_last_two = np.arange(len(order)) < end_U[user_E[order]] - 2
    train = np.sort(order[before_last_two])
    data = with_random_contents(raw.users, raw.items, user_E[train], item_E[train], image_width=0)
    random = np.random.default_rng(0)
    stars_E = random.integers(1, 6, len(train)).astype(np.float32)
    return dataclasses.replace(data, rating_E=stars_E, time_E=np.arange(len(train), dtype=np.int64) * 3_600)


def write_events(raw: RawData, path: Path) -> None:
    """Write all events as RecBole reads them, a user's in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(raw.events.user_E.tolist(), raw.events.item_E.tolist(), strict=True)
    lines = (f"{user}\t{item}\t{number}\n" for number, (user, item) in enumerate(rows))
    with path.open("w") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        file.writelines(lines)


def _recipe(name: str, data: Dataset) -> Any:
    if name == "sasrec_full":  # RecBole's softmax is over all items, ours over a sample
        return dataclasses.replace(get_recipe("sasrec"), name=name, negatives=len(data.items))
    return get_recipe(name)


def _size(model_recipe: Any, data: Dataset) -> Size:
    pairs = len(data.event_user_E)
    if isinstance(model_recipe, SequenceRecipe):
        length_U = np.bincount(data.event_user_E, minlength=len(data.users))
        targets_U = np.clip(length_U - 1, 0, model_recipe.length)
        pairs = int(targets_U.sum())
        steps = math.ceil(pairs / model_recipe.batch)
    elif isinstance(model_recipe, NcfRecipe):
        steps = math.ceil(pairs / model_recipe.batch)
    else:
        steps = getattr(model_recipe, "steps_per_epoch", 1)
    text_width = 0 if model_recipe.name in _PEERS else data.text_IT.shape[1]
    return Size(len(data.users), len(data.items), pairs, steps, text_width)


def _job(peer: str, model_recipe: Any, size: Size, epochs: int) -> dict[str, Any]:
    """Return the driver's job: RecBole's settings that mean what the recipe means."""
    config: dict[str, Any] = {"train_batch_size": math.ceil(size.pairs / size.steps)}
    if isinstance(model_recipe, LightGCNRecipe):
        config |= {
            "embedding_size": model_recipe.width,
            "learning_rate": model_recipe.learning_rate,
            "reg_weight": model_recipe.l2,
        }
        config |= {"n_layers": model_recipe.layers} if model_recipe.layers else {}
    elif isinstance(model_recipe, SequenceRecipe):
        config |= {
            "hidden_size": model_recipe.width,
            "inner_size": model_recipe.feed_width,
            "n_layers": model_recipe.blocks,
        }
        config |= {"n_heads": model_recipe.heads, "hidden_act": "relu", "MAX_ITEM_LIST_LENGTH": model_recipe.length}
        config |= {"hidden_dropout_prob": model_recipe.dropout, "attn_dropout_prob": model_recipe.dropout}
        config |= {"train_neg_sample_args": None, "loss_type": "CE"}
    else:
        config |= {"reg_weight": model_recipe.ridge}
    threads, folder = torch.get_num_threads(), str(peer_environment.FOLDER)
    return {"model": peer, "folder": folder, "epochs": epochs, "threads": threads, "config": config}


if __name__ == "__main__":
    run_main(main)
