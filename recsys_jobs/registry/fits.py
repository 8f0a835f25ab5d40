"""Fits of a recipe, found in MLflow by fingerprint or made now and logged there.

The exam fit reads the cut H and stops early on the cut's validation part; the serving fit reads
the cut D for the exam fit's number of epochs (design: what is measured and what is published).
"""

from __future__ import annotations

import dataclasses
import json
import logging
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import mlflow
import torch
from mlflow.exceptions import MlflowException
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.fault_injection import kill_point
from recsys_jobs.contracts.settings import var_dir
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models import families
from recsys_jobs.models.folded_model import fold, unfold
from recsys_jobs.models.recipes import restored
from recsys_jobs.models.sequence import catalogue
from recsys_jobs.ranking.model import Model
from recsys_jobs.registry import mlflow_client, plots
from recsys_jobs.registry.fingerprint import model_fingerprint
from recsys_jobs.torch_common.devices import choose_device, use_all_cores
from recsys_jobs.training import checkpoints
from recsys_jobs.training.epochs import Epochs, epoch_line, format_epochs, parse_epochs

EXAM, SERVING = "exam", "serving"
WEIGHTS = "weights/weights.safetensors"  # of a fit's run
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """One fitted model, its identity, where MLflow keeps it, and the epochs it took."""

    run_id: str
    fingerprint: str
    recipe: Any
    epochs: Epochs
    model: Model


def exam_fit(dataset: Dataset, recipe: Any, seed: int, tags: dict[str, str]) -> Fit:
    """The recipe fitted on the cut H with early stopping; made only if MLflow does not have it."""
    return _find_or_train(dataset, recipe, seed, None, EXAM, tags)


def serving_fit(dataset: Dataset, recipe: Any, seed: int, epochs: Epochs, tags: dict[str, str]) -> Fit:
    """The recipe fitted on all of the cut D for `epochs`; made only if MLflow does not have it."""
    return _find_or_train(dataset, recipe, seed, epochs, SERVING, tags)


def stored_fit(fingerprint: str, dataset: Dataset, cut: date) -> Fit:
    """The serving fit of this fingerprint as MLflow keeps it, over the dataset of `cut`; JobError where it is gone.

    Over the fit's own cut its fold is enough, which is all that an erasure leaves of it.
    """
    run = mlflow_client.find_run(fingerprint, SERVING)
    if run is None:
        raise JobError(f"MLflow has no serving fit {fingerprint}: run the night again, which makes it")
    if run.data.tags["cut"] == str(cut):
        recipe = restored(run.data.tags["recipe"], run.data.params)
        return _load_fit(run, fingerprint, dataset, recipe)
    return fit_of_run(run.info.run_id, dataset)


def fit_of_run(run_id: str, dataset: Dataset) -> Fit:
    """The fit of an earlier run over this dataset, its own or a later one: nothing is trained.

    JobError where the run has no weights, or its weights do not fit today's configuration.
    """
    run = mlflow_client.get_run(run_id)
    params, tags = run.data.params, run.data.tags
    fingerprint = tags[mlflow_client.FINGERPRINT]
    recipe = restored(tags["recipe"], params)
    epochs = parse_epochs(params["epochs_fitted"])
    if model_fingerprint(dataset, recipe, int(params["seed"]), epochs) == fingerprint:
        return _load_fit(run, fingerprint, dataset, recipe)
    model = families.load(stored_weights(run_id), dataset, recipe)  # not the fold, whose rows are of another dataset
    return Fit(run_id, fingerprint, recipe, epochs, model)


def _find_or_train(
    dataset: Dataset, recipe: Any, seed: int, epochs: Epochs | None, kind: str, tags: dict[str, str]
) -> Fit:
    fingerprint = model_fingerprint(dataset, recipe, seed, epochs)
    run = mlflow_client.find_run(fingerprint, kind)
    if run is not None:
        log.info("%s fit of %s %s: found, not trained again", kind, recipe.name, fingerprint)
        return _load_fit(run, fingerprint, dataset, recipe)
    return _train_and_log(dataset, recipe, seed, epochs, kind, fingerprint, tags)


def _load_fit(run: Any, fingerprint: str, dataset: Dataset, recipe: Any) -> Fit:
    """The fit that a run keeps, over the dataset that it was fitted on: from its fold, where it has one."""
    run_id = run.info.run_id
    tensors = stored_weights(run_id)
    model = unfold(tensors, dataset, recipe) or families.load(tensors, dataset, recipe)
    epochs = parse_epochs(run.data.params["epochs_fitted"])
    return Fit(run_id, fingerprint, recipe, epochs, model)


def stored_weights(run_id: str) -> dict[str, torch.Tensor]:
    """The tensors that a fit's run keeps; JobError where they are lost or no safetensors file: a pickle is not read."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return load_file(str(mlflow_client.fetch(run_id, WEIGHTS, Path(folder))))
        except SafetensorError as error:
            raise JobError(f"{WEIGHTS} of run {run_id} is no safetensors file ({error}): delete the run") from None
        except (MlflowException, OSError) as error:
            raise JobError(
                f"MLflow at {mlflow_client.tracking_uri()} no longer has the weights of run {run_id}: {error}"
            ) from None


def _train_and_log(
    dataset: Dataset, recipe: Any, seed: int, epochs: Epochs | None, kind: str, fingerprint: str, tags: dict[str, str]
) -> Fit:
    use_all_cores()
    began = time.monotonic()
    checkpoint = var_dir() / "checkpoints" / fingerprint
    run_name = f"{recipe.name} {kind} {tags['cut']}"
    with mlflow_client.new_run(run_name, kind, fingerprint, tags | {"recipe": recipe.name}) as run:
        mlflow.log_params(_mlflow_params(recipe) | {"seed": seed})
        fitted = families.fit(
            dataset,
            recipe,
            seed=seed,
            epochs=epochs,
            checkpoint=checkpoint,
            device=choose_device(),
            on_epoch=_log_epoch,
        )
        kill_point(f"{kind}:fitted")
        mlflow.log_param("epochs_fitted", format_epochs(fitted.epochs))
        mlflow.log_metric("fit_seconds", time.monotonic() - began)
        _log_weights(fitted.model, recipe)
        plots.log_training(fitted.history)
        kill_point(f"{kind}:logged")
    checkpoints.remove(checkpoint)
    epochs_text, seconds = format_epochs(fitted.epochs), time.monotonic() - began
    log.info("%s fit of %s %s: %s epochs, %.1f s", kind, recipe.name, fingerprint, epochs_text, seconds)
    return Fit(run.info.run_id, fingerprint, recipe, fitted.epochs, fitted.model)


def _mlflow_params(recipe: Any) -> dict[str, Any]:
    """The recipe's fields as MLflow's parameters: tuples and lists as JSON."""
    return {
        key: json.dumps(value) if isinstance(value, tuple | list) else value
        for key, value in dataclasses.asdict(recipe).items()
    }


def _log_epoch(entry: dict[str, float]) -> None:
    """Log one epoch: its line, and all of its numbers to MLflow's curves."""
    log.info(epoch_line(entry))
    metrics = {name: float(value) for name, value in entry.items() if name != "epoch"}
    mlflow.log_metrics(metrics, step=int(entry["epoch"]))


def _log_weights(model: Model, recipe: Any) -> None:
    """Log the model's tensors, with its fold and its catalogue where it has them, as one safetensors file."""
    weights = model.weights()
    tensors = weights | fold(model) | catalogue.pack(weights, recipe)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(WEIGHTS).name
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, str(path))
        mlflow.log_artifact(str(path), str(Path(WEIGHTS).parent))
