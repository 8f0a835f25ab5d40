"""Checkpoints of interrupted fits: which fit each is of, and which of them no fit will resume from.

A fit keeps its state under `var/checkpoints` by its fingerprint, and removes it once MLflow has its weights. A state
that is there is of a fit that runs now, of one that was killed and resumes when it is run again, or of one that is
never run again. MLflow's runs of that fingerprint say of which recipe and lake it is.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from safetensors import SafetensorError, safe_open

from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.settings import var_dir
from recsys_jobs.exam.results import aligned
from recsys_jobs.registry import mlflow_client

ABANDONED = 7  # days without an epoch
_WRITTEN = timedelta(hours=1)  # a state that cannot be read may just be written: another lake's fit writes here too


@dataclass(frozen=True)
class StoredCheckpoint:
    """One state: the epochs it has, when it was written, and what MLflow knows of its fit."""

    fingerprint: str
    recipe: str
    data: str
    cut: str
    epochs: int
    written: str
    bytes: int
    state: str  # finished, abandoned, unreadable or unfinished


def stored_checkpoints(now: datetime | None = None) -> list[StoredCheckpoint]:
    """Return every state, the oldest first."""
    folder = var_dir() / "checkpoints"
    paths = sorted((path for path in folder.glob("*") if path.is_file()), key=lambda path: path.stat().st_mtime)
    return [_stored_checkpoint(path, now or datetime.now(UTC)) for path in paths]


def show(as_json: bool) -> None:
    """Print the states, as a table or as JSON."""
    states = stored_checkpoints()
    if as_json:
        size = sum(state.bytes for state in states)
        print(json.dumps({"checkpoints": [asdict(state) for state in states], "bytes": size}))
        return
    _print(states)


def remove_unneeded(dry_run: bool, as_json: bool) -> None:
    """Remove what is finished, abandoned or unreadable; JobError where a step of a night is at work."""
    with lake_lock.exclusive("tidying checkpoints"):
        unneeded = [state for state in stored_checkpoints() if state.state != "unfinished"]
        for state in () if dry_run else unneeded:
            (var_dir() / "checkpoints" / state.fingerprint).unlink(missing_ok=True)
    size = sum(state.bytes for state in unneeded)
    if as_json:
        print(json.dumps({"removed": [asdict(state) for state in unneeded], "bytes": size, "dry_run": dry_run}))
        return
    _print(unneeded)
    print(f"{len(unneeded)} states, {size:,} bytes {'would go' if dry_run else 'removed'}")


def _print(states: list[StoredCheckpoint]) -> None:
    names = list(StoredCheckpoint.__dataclass_fields__)
    lines = [names, *(_cells(state) for state in states)]
    print("\n".join(aligned(lines)) if states else "no training was broken off")


def _cells(state: StoredCheckpoint) -> list[str]:
    return [f"{value:,}" if isinstance(value, int) else value for value in asdict(state).values()]


def _stored_checkpoint(path: Path, now: datetime) -> StoredCheckpoint:
    status = path.stat()
    written = datetime.fromtimestamp(status.st_mtime, UTC)
    epochs = _epochs(path)
    runs = mlflow_client.runs_of_fingerprint(path.name.partition(".")[0])  # a part's state is its blend's
    tags = runs[0].data.tags if runs else {}
    if any(run.info.status == "FINISHED" for run in runs):
        state = "finished"
    elif epochs < 0 and now - written > _WRITTEN:
        state = "unreadable"
    else:
        state = "abandoned" if now - written > timedelta(days=ABANDONED) else "unfinished"
    recipe, data, cut = (tags.get(name, "?") for name in ("recipe", "lake", "cut"))
    moment = written.isoformat(timespec="seconds")
    return StoredCheckpoint(path.name, recipe, data, cut, max(epochs, 0), moment, status.st_size, state)


def _epochs(path: Path) -> int:
    """Return how many epochs a state has, -1 where it cannot be read, as after a kill while it was written."""
    try:
        with safe_open(path, framework="pt") as file:
            return len(json.loads((file.metadata() or {}).get("numbers", "{}")).get("history", []))
    except (SafetensorError, json.JSONDecodeError, OSError):
        return -1
