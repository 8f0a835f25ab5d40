"""The states of trainings that were broken off: whose they are, and which of them nobody will go on with.

A fit keeps its state under `var/checkpoints` by its fingerprint, and removes it once MLflow has its weights. What is
left is of a fit that runs now, one that was killed and will go on when it is asked for again, or one that nobody
asks for any more. MLflow's runs of that fingerprint say of which recipe and lake it is.
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
_WRITTEN = timedelta(hours=1)  # what cannot be read may be under way of late: another lake's fit writes here too


@dataclass(frozen=True)
class Left:
    """One state: `epochs` it had, when it was written, and what of it is known to MLflow."""

    fingerprint: str
    recipe: str
    data: str
    cut: str
    epochs: int
    written: str
    bytes: int
    state: str  # finished, abandoned, unreadable or unfinished


def left(now: datetime | None = None) -> list[Left]:
    """Return every state, the oldest first."""
    folder = var_dir() / "checkpoints"
    paths = sorted((path for path in folder.glob("*") if path.is_file()), key=lambda path: path.stat().st_mtime)
    return [_left(path, now or datetime.now(UTC)) for path in paths]


def show(as_json: bool) -> None:
    """Print the states, as a table or as JSON."""
    found = left()
    if as_json:
        print(json.dumps({"checkpoints": [asdict(one) for one in found], "bytes": sum(one.bytes for one in found)}))
        return
    _print(found)


def tidy(dry_run: bool, as_json: bool) -> None:
    """Remove what is finished, abandoned or unreadable; JobError where a step of a night is at work."""
    with lake_lock.exclusive("tidying checkpoints"):
        gone = [one for one in left() if one.state != "unfinished"]
        for one in () if dry_run else gone:
            (var_dir() / "checkpoints" / one.fingerprint).unlink(missing_ok=True)
    size = sum(one.bytes for one in gone)
    if as_json:
        print(json.dumps({"removed": [asdict(one) for one in gone], "bytes": size, "dry_run": dry_run}))
        return
    _print(gone)
    print(f"{len(gone)} states, {size:,} bytes {'would go' if dry_run else 'removed'}")


def _print(found: list[Left]) -> None:
    names = list(Left.__dataclass_fields__)
    cells = [[f"{value:,}" if isinstance(value, int) else value for value in asdict(one).values()] for one in found]
    print("\n".join(aligned([names, *cells])) if found else "no training was broken off")


def _left(path: Path, now: datetime) -> Left:
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
    return Left(
        path.name, recipe, data, cut, max(epochs, 0), written.isoformat(timespec="seconds"), status.st_size, state
    )


def _epochs(path: Path) -> int:
    """How many epochs a state has, -1 where it cannot be read, as what a kill left half written."""
    try:
        with safe_open(path, framework="pt") as file:
            return len(json.loads((file.metadata() or {}).get("numbers", "{}")).get("history", []))
    except (SafetensorError, json.JSONDecodeError, OSError):
        return -1
