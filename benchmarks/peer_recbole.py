"""RecBole's side of `python -m benchmarks.peers`: runs inside the peer's own environment and prints one JSON line.

    python peer_recbole.py JOB

JOB is a JSON object: `model`, `folder` (it holds `peers/peers.inter`: user_id, item_id, timestamp), `epochs`,
`threads`, and `config`, RecBole's own settings. An epoch is the trainer's own, without evaluation; of a closed
form it is the making of the model. Of this project nothing is imported.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
from typing import Any

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

_CLOSED_FORMS = {"EASE"}
_FIXED = {
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    # the last two events of each user are kept out, as on our side
    "eval_args": {"split": {"LS": "valid_and_test"}, "group_by": "user", "order": "TO", "mode": "full"},
    "show_progress": False,
    "save_dataset": False,
    "use_gpu": False,
    "reproducibility": True,
    "seed": 0,
}


def main() -> None:
    job = json.loads(sys.argv[1])
    sys.argv = sys.argv[:1]  # RecBole reads settings from the command line as well
    print(json.dumps(run(job)))


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Return the seconds of each epoch, the pairs that it saw and the peak memory in GB."""
    settings = _FIXED | {"data_path": job["folder"], "checkpoint_dir": job["folder"]} | job["config"]
    config = Config(model=job["model"], dataset="peers", config_dict=settings)
    torch.set_num_threads(job["threads"])  # after RecBole has read its settings
    init_seed(0, True)
    logging.disable()
    train, _, _ = data_preparation(config, create_dataset(config))
    if job["model"] in _CLOSED_FORMS:
        seconds = [_seconds(lambda: _build_model(config, train))]
    else:
        seconds = _epoch_seconds(config, train, job)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": seconds, "pairs": len(train.dataset), "steps": len(train), "peak_gb": peak}


def _epoch_seconds(config: Config, train: Any, job: dict[str, Any]) -> list[float]:
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, _build_model(config, train))
    return [_seconds(lambda epoch=epoch: trainer._train_epoch(train, epoch)) for epoch in range(job["epochs"])]


def _build_model(config: Config, train: Any) -> Any:
    return get_model(config["model"])(config, train.dataset).to(config["device"])


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
