"""Logs an exam to Weights & Biases, where `--wandb` asks for it: the library is no dependency of ours.

`WANDB_MODE=offline` keeps the run in `var/wandb`, from where `wandb sync` sends it; `disabled` does nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import var_dir


def require() -> None:
    """Raise UsageError where the library is not installed; it is not imported."""
    if importlib.util.find_spec("wandb") is None:
        raise UsageError("--wandb needs the package wandb: pip install wandb, or leave the option out")


def log(
    project: str,
    name: str,
    config: Mapping[str, str],
    figures: Mapping[str, float],
    curves: Mapping[str, Sequence[Mapping[str, float]]],
) -> None:
    """Log one run: the exam's settings as its configuration, each fit's epochs by its name, the figures as its summary.

    JobError where the service refuses; MLflow has the exam all the same.
    """
    wandb: Any = importlib.import_module("wandb")
    folder = var_dir() / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with wandb.init(project=project, name=name, config=dict(config), dir=str(folder)) as run:
            for model, epochs in curves.items():
                for entry in epochs:
                    run.log({f"{model}/{key}": value for key, value in entry.items()})
            run.summary.update(dict(figures))
    except wandb.errors.Error as error:
        raise JobError(f"Weights & Biases: {error}; WANDB_MODE=offline logs to {folder} without it") from None
