"""An epoch of each neural family, and EASE, beside its floor and beside RecBole on the same events and cores.

    python -m benchmarks.peers [--data FOLDER] [--models a,b] [--epochs 3]

FOLDER holds `sequences.txt.gz` (each line a user and its items in order); the last two events of each user are
kept out, as in leave-one-out. Contents, stars and times are made up: an epoch costs the same whatever they say.
Both sides have the same width, layers, pairs a step and threads; the fastest epoch counts. Where there is no data,
it says so and ends well. docs/speed.md says what differs and how to read the table.
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
    print(
        f"{raw.name}: {len(data.users):,} users, {len(data.items):,} items, {len(data.event_user_E):,} pairs; ", end=""
    )
    print(f"{torch.get_num_threads()} threads, {speeds[0] / 1e9:.0f} Gop/s, {speeds[1] / 1e9:.1f} GB/s")
    print(
        f"\n{'model':24}{'steps':>6}{'ours s':>9}{'floor s':>9}{'x floor':>9}{'RecBole s':>11}{'ratio':>8}  goal {GOAL}"
    )
    found: dict[str, float] = {}
    for name in models:
        chosen = _recipe(name, data)
        measured = max(epochs, _SETTLED) if name in _SHORT else epochs
        size = _size(chosen, data)
        ours, least = our_seconds(data, chosen, measured), floor(chosen, size).seconds(*speeds)
        peer = _PEERS.get(name)
        if peer and peer not in found:
            found[peer] = min(peer_environment.measure(python, _job(peer, chosen, size, measured))["seconds"])
        theirs = f"{found[peer]:11.2f}{ours / found[peer]:8.2f}" if peer else f"{'-':>11}{'-':>8}"
        verdict = "" if not peer else "  met" if ours <= GOAL * found[peer] else "  missed"
        print(f"{name:24}{size.steps:6}{ours:9.2f}{least:9.2f}{ours / least:9.1f}{theirs}{verdict}", flush=True)


def our_seconds(data: Dataset, chosen: Recipe, epochs: int) -> float:
    """Return the seconds of the fastest epoch, or of the whole fit of a closed form."""
    began = time.perf_counter()
    fitted = families.fit(data, chosen, seed=0, epochs=epochs)
    return min((entry["seconds"] for entry in fitted.history), default=time.perf_counter() - began)


def train_part(raw: RawData) -> Dataset:
    """Return all but the last two events of each user, with made-up contents, stars and times."""
    user_E, item_E = raw.events.user_E, raw.events.item_E
    order = np.argsort(user_E, kind="stable")  # a user's events stand in their order
    ends = np.cumsum(np.bincount(user_E, minlength=len(raw.users)))[user_E[order]]
    kept = np.sort(order[np.arange(len(order)) < ends - 2])
    data = with_random_contents(raw.users, raw.items, user_E[kept], item_E[kept], image_width=0)
    random = np.random.default_rng(0)
    stars = random.integers(1, 6, len(kept)).astype(np.float32)
    return dataclasses.replace(data, rating_E=stars, time_E=np.arange(len(kept), dtype=np.int64) * 3_600)


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


def _size(chosen: Any, data: Dataset) -> Size:
    pairs = len(data.event_user_E)
    if isinstance(chosen, SequenceRecipe):
        length_U = np.bincount(data.event_user_E, minlength=len(data.users))
        pairs = int(np.minimum(np.maximum(length_U - 1, 0), chosen.length).sum())
        steps = math.ceil(pairs / chosen.batch)
    else:
        steps = (
            math.ceil(pairs / chosen.batch) if isinstance(chosen, NcfRecipe) else getattr(chosen, "steps_per_epoch", 1)
        )
    has_text = chosen.name not in _PEERS
    return Size(len(data.users), len(data.items), pairs, steps, data.text_IT.shape[1] if has_text else 0)


def _job(peer: str, chosen: Any, size: Size, epochs: int) -> dict[str, Any]:
    """Return what the driver is asked: RecBole's settings that mean what the recipe means."""
    config: dict[str, Any] = {"train_batch_size": math.ceil(size.pairs / size.steps)}
    if isinstance(chosen, LightGCNRecipe):
        config |= {"embedding_size": chosen.width, "learning_rate": chosen.learning_rate, "reg_weight": chosen.l2}
        config |= {"n_layers": chosen.layers} if chosen.layers else {}
    elif isinstance(chosen, SequenceRecipe):
        config |= {"hidden_size": chosen.width, "inner_size": chosen.feed_width, "n_layers": chosen.blocks}
        config |= {"n_heads": chosen.heads, "hidden_act": "relu", "MAX_ITEM_LIST_LENGTH": chosen.length}
        config |= {"hidden_dropout_prob": chosen.dropout, "attn_dropout_prob": chosen.dropout}
        config |= {"train_neg_sample_args": None, "loss_type": "CE"}
    else:
        config |= {"reg_weight": chosen.ridge}
    threads, folder = torch.get_num_threads(), str(peer_environment.FOLDER)
    return {"model": peer, "folder": folder, "epochs": epochs, "threads": threads, "config": config}


if __name__ == "__main__":
    run_main(main)
