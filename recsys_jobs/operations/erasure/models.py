"""A person in MLflow: the fits that were made with their events, and their rows in the weights.

A fit that is published or registered keeps its weights without the person's row, so that it can be published
again; of any other the weights go: its inputs are no more, so no night would find it. U people, F factors.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from recsys_jobs.contracts.tables import INTERACTIONS, RECOMMENDATIONS, REVIEWS
from recsys_jobs.lake import delta
from recsys_jobs.models.folded_model import USER
from recsys_jobs.registry import mlflow_client
from recsys_jobs.registry.fits import EXAM, SERVING, WEIGHTS, stored_weights
from recsys_jobs.torch_common import named_tensors

_WEIGHTS, _FILE = WEIGHTS.split("/")


@dataclass(frozen=True)
class AffectedFit:
    """A fit whose data had the person, and what was done to it."""

    run_id: str
    recipe: str
    kind: str
    cut: str
    done: str

    def __str__(self) -> str:
        return f"{self.recipe} ({self.kind} fit, cut {self.cut}, run {self.run_id}): {self.done}"


def erase_from_models(user: str) -> list[AffectedFit]:
    """Remove the person from retained fits and registered versions; return the fits that had them, oldest cut first.

    Must come before their rows leave `interactions`, which say which row of the factors is theirs.
    """
    retained = _published() | _registered_runs()
    runs = [run for run in mlflow_client.fits_of_lake((EXAM, SERVING)) if _includes_person(run, user)]
    runs.sort(key=lambda run: (run.data.tags["cut"], run.info.start_time))
    fits = [_affected_fit(run, _erase_from_fit(run, user, run.info.run_id in retained)) for run in runs]
    for version in mlflow_client.versions():
        _erase_from_version(version, user)
    return fits


def _published() -> set[str]:
    """Return the runs of the serving fits whose slates stand in `recommendations`."""
    column = delta.read(RECOMMENDATIONS, columns=["model_fingerprint"])["model_fingerprint"]
    fingerprints = pc.unique(column).to_pylist()
    runs = (mlflow_client.find_run(fingerprint, SERVING) for fingerprint in fingerprints)
    return {run.info.run_id for run in runs if run is not None}


def _registered_runs() -> set[str]:
    return {str(version.run_id) for version in mlflow_client.versions()}


def _includes_person(run: Any, user: str) -> bool:
    """Return whether the person had an event by the fit's cut."""
    first = _first_seen(user)
    return first is not None and run.data.tags["cut"] >= first.isoformat()


def _first_seen(user: str) -> date | None:
    moments = [
        pc.min(delta.read(table, pc.field("user_id") == user, [column])[column]).as_py()
        for table, column in ((REVIEWS, "reviewed_at"), (INTERACTIONS, "interacted_at"))
    ]
    days = [moment.date() for moment in moments if moment is not None]
    return min(days, default=None)


def _affected_fit(run: Any, done: str) -> AffectedFit:
    tags = run.data.tags
    return AffectedFit(run.info.run_id, tags["recipe"], tags[mlflow_client.KIND], tags["cut"], done)


def _erase_from_fit(run: Any, user: str, is_retained: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        if not mlflow_client.has_artifact(run.info.run_id, WEIGHTS):
            return "its weights are gone already"
        tensors = stored_weights(run.info.run_id)
        left = _without_person(tensors, _people_at_cut(run.data.tags["cut"]), user) if is_retained else None
        if left is None:
            mlflow_client.drop_artifact(run.info.run_id, _WEIGHTS)
            return "its weights are removed"
        if left.keys() == tensors.keys() and all(left[name] is tensors[name] for name in left):
            return "its weights hold no row of one person"
        path = Path(folder) / _FILE
        save_file(left, str(path))
        mlflow_client.replace_artifact(run.info.run_id, path, _WEIGHTS)
        return "their row of its factors is removed"


def _people_at_cut(cut: str) -> list[str]:
    """Return everybody with an event at the cut, in the order of the factors' rows; nobody without a snapshot."""
    rows = delta.read_date(INTERACTIONS, date.fromisoformat(cut), ["user_id"])["user_id"]
    people: list[str] = pc.unique(rows).sort().to_pylist()
    return people


def _without_person(tensors: dict[str, Tensor], people: list[str], user: str) -> dict[str, Tensor] | None:
    """Return the tensors without one person's rows, of a blend part by part; None where their rows are not known."""
    if "blend.epochs" not in tensors:
        return _model_without_person(tensors, people, user)
    parts = {
        number: _model_without_person(part, people, user) for number, part in named_tensors.split_parts(tensors).items()
    }
    left = {number: part for number, part in parts.items() if part is not None}
    return named_tensors.join_parts(left) if len(left) == len(parts) else None


def _model_without_person(tensors: dict[str, Tensor], people: list[str], user: str) -> dict[str, Tensor] | None:
    """Return the tensors of one model without the person's.

    Item-to-item weights have no rows of people. Of a fold the person's row goes; any other tensor with a row
    a person, or a list of names, goes whole: ranking needs the fold alone.
    """
    if USER not in tensors:
        return None if any(name.startswith("users.") for name in tensors) else tensors
    rows = len(tensors[USER])
    if rows == len(people) - 1:
        return tensors  # taken out before: this is a run that was cut short, done again
    if rows != len(people) or user not in people:
        return None
    shared = {name: tensor for name, tensor in tensors.items() if not _is_personal(name, tensor, rows)}
    folded = {name: tensor for name, tensor in tensors.items() if name.startswith("fold.")}
    others = [row for row in range(rows) if row != people.index(user)]
    return shared | folded | {USER: tensors[USER][others].contiguous()}


def _is_personal(name: str, tensor: Tensor, people: int) -> bool:
    """Return whether a tensor has a row a person, or is a list of their names."""
    return name == USER or name.startswith("users.") or (tensor.ndim > 0 and len(tensor) == people)


def _erase_from_version(version: Any, user: str) -> None:
    """Remove the person from a registered version: id, factors and owned items."""
    with tempfile.TemporaryDirectory() as folder:
        for path in mlflow_client.fetch_version(version, Path(folder)).glob("artifacts/**/ids.json"):
            ids = json.loads(path.read_text(encoding="utf-8"))
            if user not in ids["users"]:
                continue
            row = ids["users"].index(user)
            ids["users"].pop(row)
            path.write_text(json.dumps(ids), encoding="utf-8")
            weights = next(path.parent.glob("*.safetensors"))  # older versions call it factors
            save_file(_without_row(load_file(str(weights)), row), str(weights))
            relative = path.parent.relative_to(folder).as_posix()
            mlflow_client.replace_in_version(version, path.parent, relative)


def _without_row(tensors: dict[str, Tensor], row: int) -> dict[str, Tensor]:
    """Return the serving model's tensors (see `pyfunc_model`) without one person, older versions' included."""
    dot = "." if "owned.pointers" in tensors else "_"
    pointers, owned = (tensors[f"owned{dot}{name}"].numpy() for name in ("pointers", "items"))
    start, end = pointers[row : row + 2]
    others = [other for other in range(len(pointers) - 1) if other != row]
    changed = {
        f"owned{dot}pointers": np.concatenate([pointers[: row + 1], pointers[row + 2 :] - (end - start)]),
        f"owned{dot}items": np.concatenate([owned[:start], owned[end:]]),
    }
    left = tensors | {name: torch.from_numpy(array) for name, array in changed.items()}
    for name, tensor in tensors.items():
        if name.endswith("user_UF"):
            left[name] = tensor[others].contiguous()
        elif name.endswith(".left"):
            left[name] = torch.cat([tensor[:start], tensor[end:]])
    return left
