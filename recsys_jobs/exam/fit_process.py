"""One fit in a process of its own, so that its peak memory is the model's: `python -m recsys_jobs.exam.fit_process`.

Reads a dataset file, writes `weights.safetensors` and `fit.json` (epochs, seconds, peak_mb, fingerprint, history).
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import sys
import time
from pathlib import Path

from safetensors.torch import save_file

from recsys_jobs.contracts.errors import run_main
from recsys_jobs.data import dataset_file
from recsys_jobs.models import families
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.registry.fingerprint import model_fingerprint
from recsys_jobs.torch_common.devices import choose_device, use_all_cores
from recsys_jobs.training.epochs import epoch_line, format_epochs, parse_epochs

WEIGHTS, FIT = "weights.safetensors", "fit.json"
log = logging.getLogger(__name__)


def main() -> None:
    """Fit, and write the result to the folder `--out`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", required=True, help="a recipe's name")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--dataset", required=True, type=Path, help="what recsys_jobs.data.dataset_file wrote")
    parser.add_argument("--epochs", type=parse_epochs, help="for so many, on the whole core (default: by validation)")
    parser.add_argument("--out", required=True, type=Path, help="an existing folder")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="    %(message)s", stream=sys.stdout)
    logging.getLogger("faiss").setLevel(logging.WARNING)  # it logs every build that it tries
    use_all_cores()
    dataset, recipe = dataset_file.load(arguments.dataset), get_recipe(arguments.recipe)
    began = time.monotonic()
    fitted = families.fit(
        dataset, recipe, seed=arguments.seed, epochs=arguments.epochs, device=choose_device(), on_epoch=_log_epoch
    )
    weights = {name: tensor.contiguous() for name, tensor in fitted.model.weights().items()}
    summary = {
        "epochs": format_epochs(fitted.epochs),
        "seconds": time.monotonic() - began,
        "peak_mb": peak_mb(),
        "fingerprint": model_fingerprint(dataset, recipe, arguments.seed, arguments.epochs),
        "history": fitted.history,
    }
    save_file(weights, arguments.out / WEIGHTS)
    (arguments.out / FIT).write_text(json.dumps(summary), encoding="utf-8")


def peak_mb() -> float:
    """Return the most memory that this process held so far, in MB (10^6 bytes).

    From Linux's own account of this program: getrusage there also counts the parent that it was forked from.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1_024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on a Mac


def _log_epoch(entry: dict[str, float]) -> None:
    log.info(epoch_line(entry))


if __name__ == "__main__":
    run_main(main)
