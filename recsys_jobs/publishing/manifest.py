"""The manifest of a night names the model to publish: the step that may fit writes it, those that may not read it.

`recommend.fit` writes it; `recommend.top_k` and `recommend.publish` read it. It is JSON beside the night's shards,
put in place in one move, and outlives them: a task that is cleared after all was published finds it again. It holds
as long as the log of decisions has not changed for this night since the model was chosen.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

from recsys_jobs.contracts.fault_injection import kill_point
from recsys_jobs.lake import staging
from recsys_jobs.promotion import decision_log, serving_rules
from recsys_jobs.promotion.decision_log import Row
from recsys_jobs.promotion.night_context import NightContext

NAME = "manifest.json"
log = logging.getLogger(__name__)


class DecisionBasis(NamedTuple):
    """The grounds of a choice: the ids of the decisions, the versions that were rejected, and the reason in words."""

    decisions: tuple[str, ...]
    rejected: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Manifest:
    """The model that a night is to publish: its identity, its run in MLflow, its registry version (None: a floor).

    `inputs` is the content hash of the cut D that it was chosen for, `epochs` as training/epochs.py writes them.
    """

    run_date: str
    recipe: str
    fingerprint: str
    run_id: str
    version: int | None
    epochs: str
    inputs: str
    decisions: tuple[str, ...]
    rejected: tuple[int, ...]
    reason: str


def write(manifest: Manifest) -> None:
    """Put the night's manifest in place, whole or not at all."""
    path = _path(date.fromisoformat(manifest.run_date))
    path.parent.mkdir(parents=True, exist_ok=True)
    part_path = path.with_suffix(".part")
    part_path.write_text(json.dumps(dataclasses.asdict(manifest), indent=2) + "\n", encoding="utf-8")
    kill_point("manifest:before")
    part_path.replace(path)
    kill_point("manifest:after")


def read(run_date: date) -> Manifest | None:
    """The night's manifest; None where there is none, or none that this version of the code can read."""
    path = _path(run_date)
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        lists = {name: tuple(fields[name]) for name in ("decisions", "rejected")}
        return Manifest(**fields | lists)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        log.warning("%s cannot be read, and is passed over: %s", path, error)
        return None


def current(night: NightContext) -> Manifest | None:
    """The night's manifest, if the log of decisions has not changed for this night since the model was chosen."""
    manifest = read(night.run_date)
    if manifest is None:
        log.info("nothing says yet what the night of %s is to publish", night.run_date)
        return None
    basis = decision_basis(night, decision_log.all_rows())
    if (manifest.decisions, manifest.rejected) != (basis.decisions, basis.rejected):
        log.info("it was decided otherwise since: %s", basis.reason)
        return None
    return manifest


def decision_basis(night: NightContext, rows: list[Row]) -> DecisionBasis:
    """The decisions that bind this night: a person's hold, else the gate's; and the rejected versions.

    A hold on the floor leaves it to the gate which floor that is.
    """
    hold = serving_rules.hold(rows, night.run_date)
    decisions = [] if hold is None else [hold.row]
    if hold is None or hold.version is None:
        decisions.append(decision_log.gate_decision(night.run_date, night.recipe))
    ids = tuple(row["decision_id"] for row in decisions)
    rejected = tuple(sorted(serving_rules.rejected_versions(rows)))
    return DecisionBasis(ids, rejected, decisions[0]["reason"])


def _path(run_date: date) -> Path:
    return staging.night_folder(run_date) / NAME
