"""What MLflow keeps of a person: which fits knew them, and what those hold of theirs.

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
from recsys_jobs.registry.fits import EXAM, SERVING, WEIGHTS, kept_weights
from recsys_jobs.torch_common.named_tensors import join_parts, split_parts

_WEIGHTS, _FILE = WEIGHTS.split("/")


@dataclass(frozen=True)
class Met:
    """A fit that knew the person, and what was done about it."""

    run_id: str
    recipe: str
    kind: str
    cut: str
    done: str

    def __str__(self) -> str:
        return f"{self.recipe} ({self.kind} fit, cut {self.cut}, run {self.run_id}): {self.done}"


def erase_from_models(user: str) -> list[Met]:
    """Take the person out of kept fits and registered versions; return the fits that knew them, oldest cut first.

    Must come before their rows leave `interactions`, which say which row of the factors is theirs.
    """
    kept = _published() | _registered_runs()
    runs = [run for run in mlflow_client.fits_of_lake((EXAM, SERVING)) if _knew(run, user)]
    runs.sort(key=lambda run: (run.data.tags["cut"], run.info.start_time))
    found = [_met(run, _erase_from_fit(run, user, run.info.run_id in kept)) for run in runs]
    for version in mlflow_client.versions():
        _erase_from_version(version, user)
    return found


def _published() -> set[str]:
    """Runs of the serving fits whose slates stand in `recommendations`."""
    prints = pc.unique(delta.read(RECOMMENDATIONS, columns=["model_fingerprint"])["model_fingerprint"])
    runs = (mlflow_client.find_run(fingerprint, SERVING) for fingerprint in prints.to_pylist())
    return {run.info.run_id for run in runs if run is not None}


def _registered_runs() -> set[str]:
    return {str(version.run_id) for version in mlflow_client.versions()}


def _knew(run: Any, user: str) -> bool:
    """Whether the person had an event by the fit's cut."""
    first = _first_seen(user)
    return first is not None and run.data.tags["cut"] >= first.isoformat()


def _first_seen(user: str) -> date | None:
    moments = [
        pc.min(delta.read(table, pc.field("user_id") == user, [column])[column]).as_py()
        for table, column in ((REVIEWS, "reviewed_at"), (INTERACTIONS, "interacted_at"))
    ]
    days = [moment.date() for moment in moments if moment is not None]
    return min(days, default=None)


def _met(run: Any, done: str) -> Met:
    tags = run.data.tags
    return Met(run.info.run_id, tags["recipe"], tags[mlflow_client.KIND], tags["cut"], done)


def _erase_from_fit(run: Any, user: str, is_kept: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        if not mlflow_client.has_artifact(run.info.run_id, WEIGHTS):
            return "its weights are gone already"
        tensors = kept_weights(run.info.run_id)
        left = _without(tensors, _people(run.data.tags["cut"]), user) if is_kept else None
        if left is None:
            mlflow_client.drop_artifact(run.info.run_id, _WEIGHTS)
            return "its weights are removed"
        if left.keys() == tensors.keys() and all(left[name] is tensors[name] for name in left):
            return "its weights hold no row of one person"
        path = Path(folder) / _FILE
        save_file(left, str(path))
        mlflow_client.replace_artifact(run.info.run_id, path, _WEIGHTS)
        return "their row of its factors is removed"


def _people(cut: str) -> list[str]:
    """Everybody with an event at the cut, in the order of the factors' rows; nobody where the snapshot is gone."""
    rows = delta.read_date(INTERACTIONS, date.fromisoformat(cut), ["user_id"])["user_id"]
    people: list[str] = pc.unique(rows).sort().to_pylist()
    return people


def _without(tensors: dict[str, Tensor], people: list[str], user: str) -> dict[str, Tensor] | None:
    """The tensors without what is one person's, of a blend part by part; None where one cannot tell what is theirs."""
    if "blend.epochs" not in tensors:
        return _part_without(tensors, people, user)
    parts = {number: _part_without(own, people, user) for number, own in split_parts(tensors).items()}
    left = {number: own for number, own in parts.items() if own is not None}
    return join_parts(left) if len(left) == len(parts) else None


def _part_without(tensors: dict[str, Tensor], people: list[str], user: str) -> dict[str, Tensor] | None:
    """The tensors of one model without the person's.

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
    impersonal = {name: t for name, t in tensors.items() if name != USER and not name.startswith("users.")}
    shared = {name: t for name, t in impersonal.items() if not (t.ndim and len(t) == rows)}
    folded = {name: t for name, t in tensors.items() if name.startswith("fold.")}
    others = [row for row in range(rows) if row != people.index(user)]
    return shared | folded | {USER: tensors[USER][others].contiguous()}


def _erase_from_version(version: Any, user: str) -> None:
    """Take the person out of a registered version: id, factors and what they owned."""
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
            place = path.parent.relative_to(folder).as_posix()
            mlflow_client.replace_in_version(version, path.parent, place)


def _without_row(tensors: dict[str, Tensor], row: int) -> dict[str, Tensor]:
    """The serving model's tensors (see `serving_model`) without one person; older versions name them otherwise."""
    dot = "." if "owned.pointers" in tensors else "_"
    pointers, owned = (tensors[f"owned{dot}{name}"].numpy() for name in ("pointers", "items"))
    start, end = pointers[row : row + 2]
    others = [other for other in range(len(pointers) - 1) if other != row]
    left = np.concatenate([pointers[: row + 1], pointers[row + 2 :] - (end - start)])
    factors = {name: t[others].contiguous() for name, t in tensors.items() if name.endswith("user_UF")}
    faded = {name: torch.cat([t[:start], t[end:]]) for name, t in tensors.items() if name.endswith(".left")}
    return (
        tensors
        | factors
        | faded
        | {
            f"owned{dot}pointers": torch.from_numpy(left.copy()),
            f"owned{dot}items": torch.from_numpy(np.concatenate([owned[:start], owned[end:]])),
        }
    )
