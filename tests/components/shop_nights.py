"""A small shop's lake, as Spark would have left it: snapshots of some nights in a row, vectors of its items.

Even users have even items, odd users odd ones; nobody wrote a word. The torch side's jobs run on it as they
do at night, in this process or, to be killed, in one of their own.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest

from recsys_jobs.contracts.night_steps import STEPS
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CONTENTS, CUTS, INTERACTIONS, RECOMMENDATIONS
from recsys_jobs.embed import store
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.lake import delta
from recsys_jobs.registry import mlflow_client
from tests.processes import run_module
from tests.unit.test_exam_data import delta_table

NIGHTS = [date(2024, 5, day) for day in range(20, 27)]
USERS, ITEMS, EACH, HOLDOUT_DAYS = 40, 24, 9, 4
CONFIGURATION = """
recipe = "sage_fm_debug"
min_users = 10
k = 5
similar_k = 3
gate_margin = 100.0
min_coverage_ratio = 0.0
min_overlap = 0.0
"""
# the torch side's tasks, from the exam fits to the published slates
JOBS = tuple(task for task, step in STEPS.items() if "recsys_jobs.night." in step.module and step.kill_points)


def places(home: Path) -> dict[str, str]:
    """The environment in which everything of this shop is under `home`."""
    return {
        "RECSYS_VAR": str(home),
        "RECSYS_LAKE": str(home / "shop"),
        "RECSYS_CONFIG": str(home / "shop.toml"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow/mlflow.db",
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }


@contextmanager
def at_home(home: Path, nights: list[date] | None = None) -> Iterator[Path]:
    """Let this process live in a shop under `home` for a while: its environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in places(home).items():
            patch.setenv(name, value)
        open_shop(home, nights or NIGHTS)
        yield home


def open_shop(home: Path, nights: list[date] = NIGHTS) -> None:
    """Write the configuration and the snapshots of these nights."""
    (home / "shop.toml").write_text(CONFIGURATION, encoding="utf-8")
    folder, events = home / "shop", _events()
    cuts = sorted(set(nights) | {_exam_cut(night) for night in nights})
    delta_table(
        folder, CUTS, [{"run_date": night, "exam_cut": _exam_cut(night), "decidable": True} for night in nights]
    )
    delta_table(folder, INTERACTIONS, [row for cut in cuts for row in _interactions(events, cut)])
    delta_table(folder, CONTENTS, [row for cut in cuts for item in range(ITEMS) for row in _contents(item, cut)])
    noise_IT = np.random.default_rng(0).normal(size=(ITEMS, 6)).astype(np.float32)
    taste_IT = np.where(np.arange(ITEMS)[:, None] % 2, 1.0, -1.0).astype(np.float32)
    store.append_new(encoder_name(Settings(), "text"), [_text(i) for i in range(ITEMS)], noise_IT + taste_IT, folder)


def run_night(night: date, *arguments: str) -> None:
    """The torch side of one night, in this process."""
    for job in JOBS:
        run_job(job, night, *arguments)


def run_job(task: str, night: date, *arguments: str) -> None:
    """One task of a night, in this process."""
    step = STEPS[task]
    with mock.patch.object(sys, "argv", step.command(str(night), *arguments)):
        importlib.import_module(step.module).main()


def killed(point: str, *command: str) -> None:
    """Run a module in a process of its own that dies at `point`, and see that it did."""
    done = run_module(*command, environment={"RECSYS_KILL_AT": point})
    assert done.returncode == -9, f"{command} was to die at {point}, but ended with {done.returncode}: {done.stderr}"


def shown(night: date) -> tuple[str, int | None]:
    """Name and version of the model whose slates stand in the table; every user has five places."""
    rows = delta.read_date(RECOMMENDATIONS, night)
    assert rows.num_rows == USERS * 5
    [made] = {(row["model_name"], row["model_version"]) for row in rows.to_pylist()}
    return made


def slates(night: date) -> pa.Table:
    """A night's slates without what two equal nights may differ in."""
    return delta.read_date(RECOMMENDATIONS, night, ["user_id", "rank", "item_id", "model_fingerprint"])


def aliases() -> tuple[int | None, int | None]:
    """The versions that bear `champion` and `previous`."""
    previous = mlflow_client.version_with_alias(mlflow_client.PREVIOUS)
    return mlflow_client.champion(), None if previous is None else int(previous.version)


def _exam_cut(night: date) -> date:
    return night - timedelta(days=HOLDOUT_DAYS)


def _text(item: int) -> str:
    return f"{item:064x}"


def _events() -> list[tuple[int, int, datetime]]:
    """(user, item, time): nine of the user's twelve items, a day each, on days of their own."""
    random = np.random.default_rng(0)
    start, days = datetime(2024, 5, 1, 12, tzinfo=UTC), NIGHTS[-1].day
    events = []
    for user in range(USERS):
        taken = random.choice(np.arange(user % 2, ITEMS, 2), EACH, replace=False)
        for item, day in zip(taken, np.sort(random.choice(days, EACH, replace=False)), strict=True):
            events.append((user, int(item), start + timedelta(days=int(day))))
    return events


def _interactions(events: list[tuple[int, int, datetime]], cut: date) -> list[dict[str, Any]]:
    known = [event for event in events if event[2].date() <= cut]
    last = cut - timedelta(days=2)
    return [
        {
            "as_of": cut,
            "user_id": f"u{user:03d}",
            "item_id": f"i{item:03d}",
            "interacted_at": at,
            "rating": 5.0,
            "in_core": True,
            "split": "validation" if at.date() > last else "train",
            "review_hash": f"r{user}-{item}",
        }
        for user, item, at in known
    ]


def _contents(item: int, cut: date) -> list[dict[str, Any]]:
    same = {"as_of": cut, "item_id": f"i{item:03d}", "dataset": "shop", "item_hash": f"h{item}"}
    return [
        same | {"modality": "text", "content_hash": _text(item)},
        same | {"modality": "image", "reason": "no_url"},
    ]
