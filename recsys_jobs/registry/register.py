"""The registered model of a fit: its files, and its version in MLflow. U users, I items, F factors."""

from __future__ import annotations

import json
import logging
import tempfile
from datetime import date
from pathlib import Path

import torch
from safetensors.torch import save_file

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.fault_injection import kill_point
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.base.item_to_item import csr_tensors
from recsys_jobs.models.servable_terms import Rows, terms
from recsys_jobs.ranking.model import Factors, Model
from recsys_jobs.ranking.top_k import owned_items
from recsys_jobs.registry import mlflow_client
from recsys_jobs.registry.fits import Fit
from recsys_jobs.torch_common import named_tensors

log = logging.getLogger(__name__)


def register_fit(run_date: date, fit: Fit, dataset: Dataset) -> int:
    """Register a fit that may become champion; return its version."""
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), fit.model, dataset)
        uri = mlflow_client.log_pyfunc(fit.run_id, Path(folder))
    kill_point("register:before")
    tags = {"run_date": str(run_date), "recipe": fit.recipe.name, "fingerprint": fit.fingerprint}
    version = mlflow_client.register(uri, fit.run_id, tags)
    kill_point("register:after")
    log.info("registered %s version %d", mlflow_client.registered_name(), version)
    return version


def write_model(folder: Path, model: Model, dataset: Dataset) -> None:
    """Write what the registered model reads (see `pyfunc_model`); JobError where the model has no terms."""
    model_terms = terms(model)
    if not model_terms:
        raise JobError("this model is neither factors nor item-to-item, nor a blend of such: it cannot be registered")
    pointers, items = owned_items(dataset)
    owned = {"pointers": torch.from_numpy(pointers), "items": torch.from_numpy(items)}
    parts = {str(number): _form_tensors(term.form) for number, term in enumerate(model_terms)}
    save_file(named_tensors.join_parts(parts | {"owned": owned}), str(folder / "model.safetensors"))
    ids = {"users": dataset.users, "items": dataset.items, "weights": [term.weight for term in model_terms]}
    (folder / "ids.json").write_text(json.dumps(ids), encoding="utf-8")


def _form_tensors(form: Factors | Rows) -> dict[str, torch.Tensor]:
    if isinstance(form, Factors):
        return {"user_UF": form.user_UF.contiguous(), "item_IF": form.item_IF.contiguous()}
    tensors = csr_tensors(form.weight_II)
    if form.history_UI is not None:  # in the order of the owned items
        tensors["left"] = torch.from_numpy(form.history_UI.data)
    if form.bias_I is not None:
        tensors["bias"] = torch.from_numpy(form.bias_I)
    return tensors
